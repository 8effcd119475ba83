"""One flat function a job."""
