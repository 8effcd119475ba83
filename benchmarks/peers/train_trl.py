"""TRL's SFTTrainer with LoRA, at its defaults.

bf16 by autocast and gradient checkpointing are on by default, a batch is padded to its
longest example, and loss counts on answers only, as it does of itself for prompts with
completions. What is not its default: batch, epochs and seed, which are the same on both
sides; the rate, for its default is meant for training all weights; and the adapter,
which has the rank of TRL's command line and stands on every linear map, as on ours.
"""

from __future__ import annotations

from typing import Any

from datasets import Dataset  # pyright: ignore[reportMissingImports]
from peft import LoraConfig
from train_answers import answer_accuracy  # pyright: ignore[reportMissingImports]
from trl import SFTConfig, SFTTrainer  # pyright: ignore[reportMissingImports]


class Training:
    """See `train_worker.Training`."""

    def __init__(self, job: dict[str, Any]) -> None:
        self._judged = job["judged"]
        rows = [
            {
                "prompt": [
                    {"role": "system", "content": job["instruction"]},
                    {"role": "user", "content": asked},
                ],
                "completion": [{"role": "assistant", "content": said}],
            }
            for asked, said in job["train"]
        ]
        self._trainer: Any = SFTTrainer(
            model=job["model"],
            args=SFTConfig(
                output_dir=job["out"],
                num_train_epochs=job["epochs"],
                per_device_train_batch_size=job["batch"],
                learning_rate=job["rate"],
                seed=job["seed"],
                report_to="none",
                save_strategy="no",
                disable_tqdm=True,
                use_cpu=True,
            ),
            train_dataset=Dataset.from_list(rows),
            peft_config=LoraConfig(
                r=job["rank"], lora_alpha=job["alpha"], target_modules="all-linear"
            ),
        )

    def train(self) -> dict[str, float]:
        """See `train_worker.Training.train`."""
        return {"steps": self._trainer.train().global_step}

    def quality(self) -> float:
        """See `train_worker.Training.quality`."""
        return answer_accuracy(self._trainer.model.float(), self._judged)
