"""The operator: kopf and the Kubernetes API on one side, the pure tuner and resources on the other."""
