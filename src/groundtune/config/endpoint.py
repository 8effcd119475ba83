"""Models behind an endpoint: how one is named, and what it may be told about itself.

A model is named `URL#NAME`, such as `http://localhost:8000/v1#my-model`. Settings stand
in the URL's query, or in a file of the person's. Nothing here connects to anything, and
nothing here holds a key: `store.remote` does.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Literal, NoReturn, Self, get_args
from urllib.parse import parse_qsl, urlsplit

from groundtune.core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from urllib.parse import SplitResult

    from groundtune.core.values import Usage

Route = Literal["chat", "completions"]
Auth = Literal["auto", "none"]
PromptForm = Literal["text", "tokens"]

_WRITE = "write URL#NAME, such as http://localhost:8000/v1#my-model"
_SCHEME = re.compile(r"https?://", re.IGNORECASE)
_SETTING = re.compile(r"[a-z_]{1,40}")
_ROUTES = ("/completions", "/embeddings", "/responses")
_MILLION = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointSettings:
    """What is known of an endpoint, and how it is treated. JSON types only.

    Lengths are in tokens, times in seconds; 0 leaves open what it would limit or state.
    """

    route: Route = "chat"
    """`completions` sends the prompt spelled out, as a local engine would read it."""
    prompt_as: PromptForm = "text"
    """On the completions route: text is taken everywhere; token ids leave nothing to
    the endpoint's tokenizer, and are taken by vLLM and the llama.cpp server."""
    tokenizer: str = ""
    """Generator on this machine whose tokenizer and chat template the model has: a
    folder or a name. Empty: lengths are estimated."""
    context: int = 0
    """Prompt and answer that fit; 0: as the endpoint lists it, else a default."""
    thinking_tokens: int = 0
    """Added to the length of every answer, for models that reason before they write."""
    dimensions: int = 0
    """Length of vectors to ask an embedder for; 0: its own."""
    answers_as: str = ""
    """By what name the endpoint calls the model in its answers; `*`: by any."""
    auth: Auth = "auto"
    """`none` sends no key, even where there is one."""
    connect_seconds: float = 10.0
    token_seconds: float = 60.0
    """Longest silence: before the first token, and from one to the next."""
    total_seconds: float = 300.0
    """Longest time of one attempt."""
    attempts: int = 4
    """How often one thing is asked for at most."""
    longest_wait_seconds: float = 60.0
    """Longest time between two attempts, also where the endpoint asks for more."""
    requests_a_minute: int = 0
    tokens_a_minute: int = 0
    concurrency: int = 4
    """Requests under way at once."""
    batch: int = 64
    """Texts in one request to an embedder."""
    input_price: float | None = None
    """Price of a million prompt tokens; None: not known."""
    output_price: float | None = None
    """Price of a million answer tokens; None: not known."""
    currency: str = "USD"

    def __post_init__(self) -> None:
        choices = {"route": Route, "auth": Auth, "prompt_as": PromptForm}
        for name, kind in choices.items():
            known = get_args(kind)
            if getattr(self, name) not in known:
                # What was written is not shown: it may be a key in the wrong place.
                self._refuse(name, f"use {' or '.join(known)}")
        for name in ("connect_seconds", "token_seconds", "total_seconds"):
            if not 0 < getattr(self, name) < float("inf"):
                self._refuse(name, "use a time above 0")
        for name in ("attempts", "concurrency", "batch"):
            if getattr(self, name) < 1:
                self._refuse(name, "use at least 1")
        for one in fields(self):
            value = getattr(self, one.name)
            if isinstance(value, int | float) and not 0 <= value < float("inf"):
                self._refuse(one.name, "use 0 or more")
        if self.route == "completions" and not self.tokenizer:
            self._refuse("route", "name the model's folder too: &tokenizer=FOLDER")

    @staticmethod
    def _refuse(name: str, fix: str) -> NoReturn:
        raise ConfigError(f"{name} cannot be that", fix=fix, where=f"endpoint.{name}")

    @classmethod
    def from_mapping(cls, raw: Mapping[str, Any]) -> Self:
        """Read settings from a query (all strings) or a TOML table.

        Raises:
            ConfigError: A setting is unknown, or its value of another kind.
        """
        known = {one.name: one.default for one in fields(cls)}
        values: dict[str, Any] = {}
        for name, value in raw.items():
            if name not in known:
                shown = repr(name) if _SETTING.fullmatch(name) else "in it"
                raise ConfigError(
                    f"unknown setting {shown}",
                    fix=f"known settings: {', '.join(sorted(known))}",
                    where="endpoint",
                )
            values[name] = _read(name, value, type(known[name]))
        return cls(**values)


def _read(name: str, value: Any, kind: type) -> Any:  # noqa: ANN401 (of that kind)
    number = float if kind is type(None) else kind
    taken = {str: (str,), int: (str, int), float: (str, int, float)}[number]
    try:
        if isinstance(value, taken) and not isinstance(value, bool):
            return number(value)
    except ValueError:
        pass
    what = {str: "text", int: "a whole number", float: "a number"}[number]
    raise ConfigError(
        f"{name} is not {what}", fix=f"give {what}", where=f"endpoint.{name}"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteModel:
    """One model at one endpoint."""

    url: str
    """Root of the API, without a slash at its end, credentials or settings."""
    name: str
    """As the endpoint knows it."""
    settings: EndpointSettings = field(default_factory=EndpointSettings)

    @property
    def spec(self) -> str:
        """`URL#NAME`: what it is, without how it is treated."""
        return f"{self.url}#{self.name}"

    @property
    def host(self) -> str:
        """Host, and port where one is named."""
        return urlsplit(self.url).netloc

    @property
    def is_loopback(self) -> bool:
        """Whether what is sent stays on this machine."""
        host = urlsplit(self.url).hostname or ""
        try:
            return ip_address(host).is_loopback
        except ValueError:
            return host == "localhost" or host.endswith(".localhost")

    @property
    def is_private(self) -> bool:
        """Whether nobody on the way can read what is sent."""
        return self.is_loopback or self.url.startswith("https://")

    def identity(self) -> dict[str, Any]:
        """What answers depend on; limits, prices and patience are left out."""
        asked = self.settings
        return {
            "name": self.spec,
            "route": asked.route,
            "prompt_as": asked.prompt_as,
            "tokenizer": asked.tokenizer,
            "context": asked.context,
            "thinking_tokens": asked.thinking_tokens,
            "dimensions": asked.dimensions,
        }

    def cost(self, usage: Usage) -> float | None:
        """Price of `usage` in the settings' currency; None where no price is known."""
        prices = (self.settings.input_price, self.settings.output_price)
        if prices == (None, None):
            return None
        read, written = (price or 0.0 for price in prices)
        whole = usage.prompt_tokens * read + usage.output_tokens * written
        return whole / _MILLION


def is_remote(spec: str) -> bool:
    """Whether a model is named by a URL."""
    return _SCHEME.match(spec) is not None


def parse_remote(
    spec: str, table: Mapping[str, Mapping[str, Any]] | None = None
) -> RemoteModel:
    """Read `URL[?SETTING=VALUE&..]#NAME`.

    Args:
        spec: As the person wrote it.
        table: Settings by `URL` and by `URL#NAME`; the latter go first, and those in
            the query before both.

    Raises:
        ConfigError: It is no such name, holds credentials, or a setting is wrong.
    """
    address, mark, name = spec.partition("#")
    parts = _split(address)
    if not mark or not name or not name.isprintable() or name != name.strip():
        raise _refused("the URL names no model", _WRITE)
    if "?" in name:
        raise _refused("settings stand behind the name", "write URL?SETTING=VALUE#NAME")
    url = f"{parts.scheme}://{parts.netloc.lower()}{parts.path.rstrip('/')}"
    asked = parse_qsl(parts.query, keep_blank_values=True)
    if len(dict(asked)) < len(asked):
        raise _refused("a setting stands in the URL twice", "leave one out")
    known = table or {}
    merged = {**known.get(url, {}), **known.get(f"{url}#{name}", {}), **dict(asked)}
    settings = EndpointSettings.from_mapping(merged)
    return RemoteModel(url=url, name=name, settings=settings)


def _split(address: str) -> SplitResult:
    """The parts of a URL that may be used; nothing of it is shown before that."""
    if not address.isascii() or not address.isprintable() or set(address) & set(' \\"'):
        raise _refused("the URL holds characters that a URL cannot", _WRITE)
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        raise _refused("the URL cannot be read", _WRITE) from None
    if "@" in parts.netloc:
        raise _refused(
            "the URL holds credentials",
            "put the key into the environment: see docs/remote.md",
        )
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0:
        raise _refused("the URL names no host", _WRITE)
    if parts.path.rstrip("/").endswith(_ROUTES):
        raise _refused(
            "the URL names one route of the API",
            "name its root, such as https://HOST/v1",
        )
    return parts


def _refused(problem: str, fix: str) -> ConfigError:
    return ConfigError(problem, fix=fix, where="model")
