"""The table of rules: one list a topic, in the order of docs/doctor.md. A rule is a function from facts to a finding.

To add one: write the function in the module of its topic, put it into that module's RULES, give it a row in
docs/doctor.md and two in tests/unit/doctor/test_rules.py (one configuration that it objects to, one that it does not).
"""
