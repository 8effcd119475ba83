"""Documents to passages and labelled files to cases; splits, leakage, data doctor.

Readers and the splitter stand in `read*.py`, `sandbox.py` and `splitter.py`;
questions in `cases.py`, `squad.py`, `splits.py` and `doctor.py`; other labelled data in
`labelled.py`, `stratify.py` and `examination`; invented data in `worlds`.
Nothing here knows a model: a tokenizer comes in as an argument.
"""
