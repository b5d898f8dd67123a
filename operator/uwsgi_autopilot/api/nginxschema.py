"""The fields below `spec.nginx`: types, bounds, defaults and what `kubectl explain` says about each."""

from typing import Annotated, Literal

from pydantic import Field

from uwsgi_autopilot.api.fields import Fields, Name, Quantity, Text

# Shorter than `Text`: rules compare each path with each other, and the API server counts the letters.
UrlPath = Annotated[str, Field(min_length=1, max_length=256)]


class StaticFiles(Fields):
    path: Text = Field(description="URL path that nginx serves by itself, such as /static.")
    dir: Text = Field(description="Directory in the application's image that holds the files.")


class InternalFiles(Fields):
    path: UrlPath = Field(description="URL path that only the application can point nginx at, such as /private.")
    dir: Text = Field(
        description="Directory that holds the files, as nginx sees it: on a cluster in a volume that spec.template"
        " mounts into the container nginx."
    )


class ResponseHeader(Fields):
    name: Name = Field(description="Name of the header, such as Strict-Transport-Security.")
    value: Text = Field(description="Its value, as clients get it.")


class RealIp(Fields):
    from_: list[Annotated[str, Field(min_length=1, max_length=64)]] = Field(
        alias="from",
        min_length=1,
        max_length=32,
        description="Addresses and networks of the proxies that are believed, such as 10.0.0.0/8.",
    )
    header: Name = Field("X-Forwarded-For", description="Header in which they say who the client is.")
    recursive: bool = Field(
        True,
        description="True: of several addresses in it the last that is none of theirs. False: simply the last.",
    )


class Nginx(Fields):
    body_size: Quantity = Field("10Mi", description="Greatest request body; 0 means no limit. Above: 413.")
    header_size: Quantity = Field(
        "8Ki", description="Greatest header, and greatest request line, from 1Ki to 20Ki. Above: 431, and 414."
    )
    read_timeout: Text = Field(
        "60s",
        description="How long nginx waits for the application's answer, in the queue too: 60s, 1m30s, at most 1h.",
    )
    # YAML reads a bare Off as false, so the word is Disabled.
    access_log: Literal["Disabled", "Combined", "Json"] | None = Field(
        None,
        description="A line for each request on nginx's standard output, query strings included. Combined on a cluster"
        " and Disabled on one machine when absent.",
    )
    gzip: bool = Field(False, description="True: compress texts of 1 KiB and more for clients that ask for it.")
    headers: list[ResponseHeader] = Field(
        default_factory=list, max_length=32, description="Headers to add to every answer, whatever its status."
    )
    streaming: list[UrlPath] = Field(
        default_factory=list,
        max_length=32,
        description="Paths whose answers, like those below them, are not buffered by nginx, such as /events.",
    )
    static: list[StaticFiles] = Field(
        default_factory=list, max_length=32, description="Static files that nginx serves without the application."
    )
    internal: list[InternalFiles] = Field(
        default_factory=list,
        max_length=16,
        description="Private files that nginx sends where an answer of the application has X-Accel-Redirect.",
    )
    real_ip: RealIp | None = Field(None, description="Take the client's address from a header that a proxy sets.")
    snippet: str | None = Field(
        None,
        max_length=4096,
        description="Further directives for the server block, such as a location of your own. What the autopilot sets"
        " itself is refused.",
    )
