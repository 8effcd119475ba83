"""Support over documents: `ask` and `chat` with a model that says to be for it.

The weights are the published ones, so that what a draft says is anybody's guess; what
may stand of it is not.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from groundtune.augment.chat import ChatTemplate
from groundtune.augment.texts import REPLY_TO_CUSTOMER, TEXT_PROMPT_VERSION
from groundtune.core.values import DialogueCase, Message, QaCase
from groundtune.generate.stated import unvouched
from groundtune.recipes.ask import ask, open_ask
from groundtune.recipes.chat import chat
from groundtune.recipes.ingest import ingest
from groundtune.store.models import open_model
from groundtune.systems.support import SupportSystem, is_for_support

SAMPLE = Path(__file__).resolve().parents[2] / "docs" / "scenarios" / "support"
REFUNDS = (
    "Refunds are paid to the card that was used, within 6 working days after the "
    "parcel has arrived at our workshop."
)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The published model in a folder that says that it was tuned for support."""
    published = open_model("smollm2-135m-instruct", kind="generator")
    folder = tmp_path_factory.mktemp("support")
    for file in published.path.iterdir():
        if file.name != "model.safetensors":
            shutil.copy(file, folder)
    (folder / "model.safetensors").symlink_to(published.path / "model.safetensors")
    template = ChatTemplate(published.chat_template)
    manifest = json.loads((folder / "groundtune.json").read_text())
    manifest |= {
        "task": "support",
        "prompt_version": TEXT_PROMPT_VERSION,
        "template_sha256": template.sha256,
        "template": {"instruction": REPLY_TO_CUSTOMER, "max_new_tokens": 40},
    }
    (folder / "groundtune.json").write_text(json.dumps(manifest))
    return str(folder)


@pytest.fixture(scope="module")
def kb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kb") / "kb"
    ingest([SAMPLE / "policies", SAMPLE / "conversations.jsonl"], kb=folder)
    return folder


@pytest.fixture(scope="module")
def system(model: str, kb: Path) -> SupportSystem:
    """Opened once: that is most of what these tests take."""
    opened = open_ask(kb=kb, model=model)
    assert isinstance(opened, SupportSystem)
    return opened


def test_a_reply_says_what_the_policy_says_and_cites_it(system: SupportSystem) -> None:
    pieces: list[str] = []
    case = QaCase(id="1", question="How long until I get my refund?", answers=())

    reply = system.answer(case, on_text=pieces.append)

    assert "".join(pieces) == reply.text
    assert REFUNDS in reply.text
    (cited,) = [one for one in reply.citations if "6 working days" in one.text]
    assert cited.document == "returns.md"
    sources = [hit.metadata.get("kind", "policy") for hit in reply.hits]
    assert sources[-1] == "conversation", "the nearest one, last"
    assert set(sources[:-1]) == {"policy"}
    policies = [hit.passage.text for hit in reply.hits[:-1]]
    assert unvouched(reply.text.replace("\n", " "), policies, asked=case.question) == ()
    assert "of the draft's lines left out" in reply.check


def test_without_a_policy_nothing_is_said(system: SupportSystem) -> None:
    case = QaCase(id="1", question="Who won the football match?", answers=())
    reply = system.answer(case)
    assert reply.abstained
    assert reply.text == ""
    assert "no policy" in reply.reason


def test_a_follow_up_is_read_in_its_conversation(system: SupportSystem) -> None:
    before = (
        Message("user", "How long until I get my refund?"),
        Message("assistant", REFUNDS),
    )
    for question, said in (
        ("And how much is postage for that?", "Postage for the way back costs 4 euros"),
        ("Do you sell balloons?", ""),
    ):
        messages = (*before, Message("user", question))
        reply = system.answer(DialogueCase(id="1", messages=messages, answers=()))
        assert said in reply.text
        assert reply.abstained == (not said)


@pytest.mark.slow
def test_a_conversation_goes_on(model: str, kb: Path) -> None:
    with chat(kb=kb, model=model) as talk:
        assert REFUNDS in talk.say("How long until I get my refund?").answer.text
        found = talk.say("And can I still change the address of my new order?")
        assert "orders@skylark.example" in found.answer.text
        assert talk.say("Do you sell balloons?").answer.abstained


@pytest.mark.slow
def test_only_documents_that_are_allowed_vouch(model: str, kb: Path) -> None:
    reply = ask(
        "How long until I get my refund?",
        kb=kb,
        model=model,
        where='document != "returns.md"',
    )
    assert REFUNDS not in reply.text
    assert "returns.md" not in {hit.passage.document for hit in reply.hits}


@pytest.mark.slow
def test_a_base_without_past_conversations_serves(model: str, tmp_path: Path) -> None:
    ingest([SAMPLE / "policies"], kb=tmp_path / "kb")
    reply = ask("How long until I get my refund?", kb=tmp_path / "kb", model=model)
    assert REFUNDS in reply.text
    assert all("kind" not in hit.metadata for hit in reply.hits)


def test_other_models_answer_as_they_did(model: str) -> None:
    assert is_for_support(model)
    assert not is_for_support("smollm2-135m-instruct")
    assert not is_for_support("http://localhost:1/v1#big")
