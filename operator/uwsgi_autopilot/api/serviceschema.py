"""`spec.service` and `spec.commonMetadata` of a UwsgiApp."""

from typing import Literal

from pydantic import Field

from uwsgi_autopilot.api.address import MAX_PORT
from uwsgi_autopilot.api.fields import Fields, Name


class Service(Fields):
    type: Literal["ClusterIP", "NodePort", "LoadBalancer"] = Field("ClusterIP", description="Type of the Service.")
    port: int = Field(80, ge=1, le=MAX_PORT, description="Port of the Service.")
    node_port: int | None = Field(
        None, ge=1, le=MAX_PORT, description="Port on each node; for NodePort and LoadBalancer."
    )
    labels: dict[str, str] = Field(default_factory=dict, max_length=64, description="Labels of the Service.")
    annotations: dict[str, str] = Field(
        default_factory=dict, max_length=64, description="Annotations of the Service, for example for a load balancer."
    )
    # As the API server's own Service has them; what is absent is left to it.
    external_traffic_policy: Literal["Cluster", "Local"] | None = Field(
        None, description="Local: nodes without a pod refuse, and clients keep their address; not for ClusterIP."
    )
    internal_traffic_policy: Literal["Cluster", "Local"] | None = Field(
        None, description="Local: pods of the cluster reach only those on their own node."
    )
    ip_family_policy: Literal["SingleStack", "PreferDualStack", "RequireDualStack"] | None = Field(
        None, description="Whether the Service has addresses of one family or of both."
    )
    ip_families: list[Literal["IPv4", "IPv6"]] = Field(
        default_factory=list, max_length=2, description="Which families, the first one before the second."
    )
    session_affinity: Literal["None", "ClientIP"] | None = Field(
        None, description="ClientIP: an address is sent to the same pod; then one pod may get most of the load."
    )
    load_balancer_class: Name | None = Field(
        None, description="Which load balancer is meant; for LoadBalancer, and never changed afterwards."
    )


class CommonMetadata(Fields):
    labels: dict[str, str] = Field(default_factory=dict, max_length=64, description="Labels of each of them.")
    annotations: dict[str, str] = Field(default_factory=dict, max_length=64, description="Annotations of each of them.")
