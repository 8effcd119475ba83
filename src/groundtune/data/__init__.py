"""Documents to passages and labelled files to cases; splits, leakage, data doctor.

Readers and the splitter stand in `read*.py`, `sandbox.py` and `splitter.py`; labelled
data in `cases.py`, `squad.py`, `splits.py` and `doctor.py`; invented data in `worlds`.
Nothing here knows a model: a tokenizer comes in as an argument.
"""
