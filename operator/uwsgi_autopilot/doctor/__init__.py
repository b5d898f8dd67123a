"""What is dangerous or useless in a uWSGI configuration: a table of small, pure questions to facts gathered before."""
