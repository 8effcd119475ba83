"""Files to the sides of a training, looked through before any time is spent.

An error that the doctor finds stops training. Cases whose texts stand among the test
cases are left out of training, so that no score profits from having seen them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from groundtune.core.errors import DataError
from groundtune.data.examination.diagnosis import from_row_errors
from groundtune.data.examination.examine import examine_labelled, in_order
from groundtune.data.examination.lengths import Limit, check_lengths
from groundtune.data.examination.repeats import items_of
from groundtune.data.labelled import read_labelled

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from pathlib import Path

    from groundtune.core.values import EntityCase, LabelCase
    from groundtune.data.examination.diagnosis import Diagnosis
    from groundtune.data.labelled import LabelledData
    from groundtune.data.rows import RowError
    from groundtune.store.models import ModelFolder

    Case = LabelCase | EntityCase
    Tell = Callable[[str], None]

_FRAME_TOKENS = 2
"""What an encoder puts around a text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """The cases of a training, and how their files were understood."""

    files: Mapping[str, Path]
    """Side to file, of those that were given."""
    data: Mapping[str, LabelledData]
    """Side to what is used of its file."""
    left_out: Mapping[str, Mapping[str, int]]
    """Side to how many of its cases were left out, by the side that has their texts."""
    row_errors: Sequence[RowError]
    """Rows that cannot become cases."""

    def cases(self, side: str) -> tuple[Case, ...]:
        """The cases of a side; none where no file was given for it."""
        if side not in self.data:
            return ()
        return cast("tuple[Case, ...]", self.data[side].cases)

    def record(self, findings: Sequence[Diagnosis] = ()) -> dict[str, Any]:
        """What the manifest says of the files: names, not places."""
        files = {
            side: {
                "file": self.files[side].name,
                "format": data.format,
                "reading": data.reading,
                "roles": data.roles,
                "cases": len(data.cases),
                "left_out": dict(self.left_out.get(side, {})),
            }
            for side, data in self.data.items()
        }
        told = [
            {
                "kind": one.kind,
                "severity": one.severity,
                "message": one.message,
                "rows": len(one.spots),
            }
            for one in findings
        ]
        return {"files": files, "findings": told}


def read_sides(
    files: Mapping[str, Path],
    *,
    task: str,
    format: str | None,  # noqa: A002 (the option's name)
    roles: Mapping[str, str],
    tell: Tell,
) -> Sides:
    """Read the files of the sides, and leave out of each what a later one holds.

    A text is the same if it is so but for case, spaces and punctuation, as a split
    takes it to be. Test cases are never touched: a score stays comparable.

    Args:
        files: `train`, and perhaps `dev` and `test`.
        task: A task with labels.
        format: Of the files; recognised if None.
        roles: Role to column; the others are inferred.
        tell: Told of how each file was read, a line each.

    Raises:
        DataError: A file cannot be read, or nothing is left of one.
    """
    errors: list[RowError] = []
    data: dict[str, LabelledData] = {}
    for side, path in files.items():
        before = len(errors)
        try:
            found = read_labelled(
                path, task=task, format=format, roles=roles, report=errors.append
            )
        except DataError:
            if len(errors) > before:  # no row could be read, and this is why
                raise errors[before] from None
            raise
        data[side] = found
        columns = ", ".join(f"{role}={name}" for role, name in found.roles.items())
        tell(f"{path.name}: {len(found.cases):,} cases, {found.format}, {columns}")
    left_out: dict[str, dict[str, int]] = {}
    for side, others in (("train", ("test", "dev")), ("dev", ("test",))):
        for other in others:
            if side not in data or other not in data:
                continue
            kept, gone = _without(data[side], data[other])
            if not kept.cases:
                raise DataError(
                    f"every text also stands in {files[other].name}",
                    fix="give files that share no texts",
                    where=str(files[side]),
                )
            if gone:
                left_out.setdefault(side, {})[other] = gone
                tell(
                    f"left out of {files[side].name}, since {files[other].name} has "
                    f"the same text: {gone:,}"
                )
            data[side] = kept
    return Sides(files=files, data=data, left_out=left_out, row_errors=errors)


def _without(data: LabelledData, other: LabelledData) -> tuple[LabelledData, int]:
    """`data` without the texts of `other`, and how many cases that were."""
    known = {item.loose for item in items_of(other)}
    stays = [item.loose not in known for item in items_of(data)]
    kept = replace(
        data,
        cases=tuple(case for case, ok in zip(data.cases, stays, strict=True) if ok),
        places=tuple(where for where, ok in zip(data.places, stays, strict=True) if ok),
    )
    return kept, len(stays) - len(kept.cases)


def examine_sides(
    sides: Sides, *, accepted: Collection[str], tell: Tell
) -> list[Diagnosis]:
    """Let the doctor look, before anything is trained.

    Args:
        sides: As they were read.
        accepted: Kinds of errors that a person knows of and means.
        tell: Told of each error and warning, a line each.

    Returns:
        Everything found, notes as well.

    Raises:
        DataError: There is an error that is not accepted.
    """
    data = sides.data["train"]
    found = in_order(
        [
            *from_row_errors(sides.row_errors),
            *examine_labelled(
                data, file=str(sides.files["train"]), test=sides.data.get("test")
            ),
        ]
    )
    wrong = [
        one for one in found if one.severity == "error" and one.kind not in accepted
    ]
    for one in found:
        if one.severity != "note":
            tell(_line(one))
    if wrong:
        first = wrong[0]
        more = f", and {len(wrong) - 1} more errors" if len(wrong) > 1 else ""
        spot = first.spots[0] if first.spots else None
        place = ", column ".join(part for part in spot[:2] if part) if spot else ""
        raise DataError(
            f"{first.message}{more}",
            fix=f"{first.fix}; `groundtune doctor` shows every row; where it is "
            f"meant: --accept {first.kind}",
            where=place or str(sides.files["train"]),
        )
    return found


def cut_texts(
    sides: Sides, base: ModelFolder, *, max_tokens: int, tell: Tell
) -> list[Diagnosis]:
    """What of the texts no training with this base and setting would see."""
    longest = int(base.config.get("max_position_embeddings", max_tokens))
    limit = Limit(
        base.tokenizer(), min(longest, max_tokens) - _FRAME_TOKENS, "this training"
    )
    found = [
        replace(
            one,
            severity="warning",
            fix=f"shorten the texts, or --set max_tokens={longest}",
        )
        for one in check_lengths(sides.data["train"], limit=limit)
        if one.kind == "cut_text"
    ]
    for one in found:
        tell(_line(one))
    return found


def _line(one: Diagnosis) -> str:
    such = f", such as {one.spots[0].where}" if one.spots else ""
    return f"{one.severity}: {one.message}{such}  [{one.kind}]"
