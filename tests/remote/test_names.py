"""How a remote model is named, what settings it has, and where its key comes from."""

from __future__ import annotations

import pickle
import sys
from typing import TYPE_CHECKING

import pytest

from groundtune.config.endpoint import EndpointSettings, is_remote, parse_remote
from groundtune.core.errors import ConfigError, ModelLoadError
from groundtune.core.values import Usage
from groundtune.store.models import open_model
from groundtune.store.remote.keys import Secret, checked, find_key
from groundtune.store.remote.settings import open_remote_model

if TYPE_CHECKING:
    from pathlib import Path


def test_a_name_is_an_address_and_a_model() -> None:
    remote = parse_remote("http://LocalHost:8000/v1/?context=900#org/model:tag")

    assert (remote.url, remote.name) == ("http://localhost:8000/v1", "org/model:tag")
    assert remote.spec == "http://localhost:8000/v1#org/model:tag"
    assert (remote.host, remote.is_loopback) == ("localhost:8000", True)
    assert remote.settings.context == 900


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        ("http://h/v1", "names no model"),
        ("http://h/v1#", "names no model"),
        ("http:///v1#m", "names no host"),
        ("http://h:99999/v1#m", "cannot be read"),
        ("http://h /v1#m", "characters"),
        ("http://h\\@evil/v1#m", "characters"),
        ("http://h/v1/chat/completions#m", "one route"),
        ("http://h/v1#m?route=chat", "behind the name"),
        ("http://h/v1?batch=1&batch=2#m", "twice"),
        ("http://h/v1?batch=0#m", "batch cannot be that"),
        ("http://h/v1?batch=many#m", "not a whole number"),
        ("http://h/v1?token_seconds=nan#m", "token_seconds cannot"),
        ("http://h/v1?input_price=-1#m", "input_price cannot"),
        ("http://h/v1?route=completions#m", "route cannot"),
        ("http://h/v1?prompt_as=ids#m", "prompt_as cannot"),
    ],
)
def test_a_wrong_name_says_what_is_wrong(spec: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        parse_remote(spec)


@pytest.mark.parametrize(
    "spec",
    [
        "https://me:sk-hidden@host/v1#m",
        "https://sk-hidden@host/v1#m",
        "https://host/v1?route=sk-hidden#m",
        "https://host/v1?auth=sk-hidden#m",
        "https://host/v1?api_key=sk-hidden#m",
        "https://host/v1?sk-hidden#m",
        "https://host/v1?batch=sk-hidden#m",
        "https://host:sk-hidden/v1#m",
    ],
)
def test_a_key_in_the_name_is_refused_and_not_repeated(spec: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_remote(spec)

    assert "hidden" not in str(caught.value)


def test_names_of_models_here_are_not_remote() -> None:
    assert is_remote("HTTPS://host/v1#m")
    assert not any(map(is_remote, ["smollm2", "models/tuned", "org/name", "http.gguf"]))
    with pytest.raises(ModelLoadError, match="no weights on this machine"):
        open_model("http://localhost:1/v1#m", kind="generator")


def test_settings_come_from_the_file_and_from_the_name(tmp_path: Path) -> None:
    file = tmp_path / "endpoints.toml"
    file.write_text(
        '["https://host/v1"]\nbatch = 3\ncontext = 10\nrequests_a_minute = 60\n'
        '["https://host/v1#big"]\ncontext = 20\ninput_price = 2\noutput_price = 8.0\n'
    )

    big = open_remote_model("https://host/v1?batch=5#big", file=file)
    small = open_remote_model("https://host/v1#small", file=file)

    assert (big.settings.batch, big.settings.context) == (5, 20)
    assert (small.settings.batch, small.settings.context) == (3, 10)
    assert big.settings.requests_a_minute == 60
    assert big.cost(Usage(prompt_tokens=1_000_000, output_tokens=500_000)) == 6.0
    assert small.cost(Usage(prompt_tokens=1_000_000)) is None
    assert (
        big.identity() == open_remote_model("https://host/v1?context=20#big").identity()
    )


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ('["https://host/v1"]\nkey = "sk-1"\n', "unknown setting 'key'"),
        ('["https://host/v1/"]\nbatch = 1\n', "not written as it is read"),
        ('["https://host/v1"]\nbatch = "3"\n"', "cannot be read"),
        ("batch = 1\n", "outside of any endpoint"),
        ('["https://host/v1"]\nbatch = true\n', "batch is not a whole number"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path: Path, content: str, problem: str) -> None:
    file = tmp_path / "endpoints.toml"
    file.write_text(content)

    with pytest.raises(ConfigError, match=problem):
        open_remote_model("https://host/v1#m", file=file)


def key_for(spec: str, **environment: str) -> str:
    found = find_key(parse_remote(spec), environment)
    return found.reveal() if found else ""


def test_keys_come_from_the_environment_in_a_fixed_order() -> None:
    openai = "https://api.openai.com/v1#m"
    gemini = "https://generativelanguage.googleapis.com/v1beta/openai#m"
    both = {"OPENAI_API_KEY": "sk-openai", "GEMINI_API_KEY": "sk-gemini"}

    assert key_for(openai, **both) == "sk-openai"
    assert key_for(gemini, **both) == "sk-gemini"
    assert key_for("https://other.example/v1#m", **both) == ""
    assert key_for(openai, GROUNDTUNE_API_KEY=" sk-ours\n", **both) == "sk-ours"
    assert key_for("https://other.example/v1?auth=none#m", GROUNDTUNE_API_KEY="k") == ""
    with pytest.raises(ConfigError, match="no key can"):
        key_for(openai, OPENAI_API_KEY='"sk\u2011quoted"')


def test_keys_come_from_the_keyring(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A package that keeps its passwords in a dictionary, under keyring's names."""
    package = tmp_path / "keyring"
    package.mkdir()
    (package / "errors.py").write_text("class KeyringError(Exception):\n    pass\n")
    (package / "__init__.py").write_text(
        "from keyring import errors\n"
        "KEPT = {('groundtune', 'host:8443'): 'sk-kept'}\n"
        "def get_password(service, name):\n"
        "    if name == 'locked':\n"
        "        raise errors.KeyringError\n"
        "    return KEPT.get((service, name))\n"
    )
    monkeypatch.syspath_prepend(str(package.parent))
    for name in ("keyring", "keyring.errors"):
        monkeypatch.delitem(sys.modules, name, raising=False)

    assert key_for("https://host:8443/v1#m") == "sk-kept"
    assert key_for("https://host:8443/v1#m", GROUNDTUNE_API_KEY="sk-e") == "sk-e"
    assert key_for("https://locked/v1#m") == key_for("https://host/v1#m") == ""
    for name in ("keyring", "keyring.errors"):
        sys.modules.pop(name, None)


def test_a_key_never_crosses_a_network_in_the_open() -> None:
    environment = {"GROUNDTUNE_API_KEY": "sk-ours"}

    with pytest.raises(ConfigError, match="over http") as caught:
        find_key(parse_remote("http://10.0.0.7:8000/v1#m"), environment)

    assert "sk-ours" not in str(caught.value)
    assert "auth=none" in caught.value.fix
    assert find_key(parse_remote("http://10.0.0.7/v1?auth=none#m"), environment) is None
    assert find_key(parse_remote("http://10.0.0.7/v1#m"), {}) is None
    for host in ("localhost", "127.0.0.9:1", "[::1]:8", "box.localhost"):
        assert find_key(parse_remote(f"http://{host}/v1#m"), environment)
    with pytest.raises(ConfigError, match="over http"):
        checked(Secret("sk-ours"), parse_remote("http://localhost.example/v1#m"))


def test_a_secret_shows_itself_to_nobody() -> None:
    secret = Secret("sk-very-secret")

    assert "secret" not in f"{secret} {secret!r} {[secret]}".replace("Secret", "")
    assert secret.hide("no sk-very-secret here") == "no *** here"
    with pytest.raises(TypeError, match="not written down"):
        pickle.dumps(secret)
    assert Secret("none").hide("none of these") == "none of these"


def test_settings_can_be_described_and_read_again() -> None:
    import dataclasses

    settings = EndpointSettings(batch=7, input_price=0.5)

    assert (
        EndpointSettings.from_mapping(
            {k: v for k, v in dataclasses.asdict(settings).items() if v is not None}
        )
        == settings
    )
