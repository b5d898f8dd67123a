"""Fields of a POST become fields of an apply, so that a later apply can remove them."""

from uwsgi_autopilot.controller.managedfields import migrated

FIELDS = {"f:metadata": {"f:labels": {"f:a": {}}}, "f:spec": {"f:replicas": {}, "f:template": {"f:spec": {}}}}
MADE = {"manager": "us", "operation": "Update", "apiVersion": "apps/v1", "fieldsV1": FIELDS}
OTHER = {"manager": "kubectl", "operation": "Update", "apiVersion": "apps/v1", "fieldsV1": {"f:spec": {"f:paused": {}}}}
STATUS = {**MADE, "subresource": "status", "fieldsV1": {"f:status": {}}}


def test_all_but_the_replicas_moves():
    entries = migrated([OTHER, MADE], "us")
    assert entries == [
        OTHER,
        {**MADE, "operation": "Apply",
         "fieldsV1": {"f:metadata": FIELDS["f:metadata"], "f:spec": {"f:template": {"f:spec": {}}}}},
        {**MADE, "fieldsV1": {"f:spec": {"f:replicas": {}}}},
    ]  # fmt: skip


def test_a_second_time_there_is_nothing_to_do():
    entries = migrated([OTHER, MADE, STATUS], "us")
    assert migrated(entries, "us") is None


def test_what_was_applied_before_stays_applied():
    applied = {**MADE, "operation": "Apply", "fieldsV1": {"f:spec": {"f:selector": {}}}}
    entries = migrated([applied, MADE], "us")
    (apply,) = [each for each in entries if each["operation"] == "Apply"]
    assert set(apply["fieldsV1"]["f:spec"]) == {"f:selector", "f:template"}


def test_entries_of_others_and_of_subresources_are_left_alone():
    assert migrated([OTHER, STATUS], "us") is None
