"""Parts of the job `calibrate`: answers, the fit, the record, the picture."""
