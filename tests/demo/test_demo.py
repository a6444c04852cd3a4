"""The built-in example: the same text every time, a model that learns it, and a program that trains and resumes."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from lightning_tui.demo import train

PROGRAM = Path(train.__file__)
SOURCE = b"def double(number):\n\treturn 2 * number\n\n\n"


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """A folder of 20 small sources and of what must be passed over."""
    for index in range(20):
        place = tmp_path / "library" / f"package{index % 3}"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"module{index:02}.py").write_bytes(f"# file {index}\n".encode() + SOURCE * 20)
    for skipped in ("site-packages/other.py", "package0/tests/test_it.py", "package0/notes.txt"):
        path = tmp_path / "library" / skipped
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"never read")
    return tmp_path / "library"


def make_data(folder: Path, characters: int = 1_000_000) -> train.PythonText:
    data = train.PythonText(folder, context=32, batch_size=8, characters=characters)
    data.setup("fit")
    return data


def make_model() -> train.CharacterGPT:
    torch.manual_seed(0)
    return train.CharacterGPT(layers=2, heads=2, width=32, context=32, learning_rate=3e-3)


def test_text_survives_encoding_and_what_is_unknown_is_left_out() -> None:
    assert train.decode(train.encode(b"if a:\n\treturn '~'")) == "if a:\n    return '~'"
    assert train.decode(train.encode("naïve\x1b[31m\0".encode())) == "nave[31m"
    assert train.encode(b"").numel() == 0


def test_every_code_is_below_the_vocabulary() -> None:
    codes = train.encode(bytes(range(256)))
    assert int(codes.max()) == len(train.VOCABULARY) - 1
    assert sorted(set(codes.tolist())) == list(range(len(train.VOCABULARY)))


def test_sources_come_in_a_fixed_order_without_tests_and_installed_packages(sources: Path) -> None:
    texts = list(train.read_sources(sources, characters=1_000_000))
    assert texts == list(train.read_sources(sources, characters=1_000_000))
    assert [text.split(b"\n")[0] for text in texts[:3]] == [b"# file 0", b"# file 3", b"# file 6"]
    assert len(texts) == 20
    assert b"never read" not in b"".join(texts)


def test_reading_ends_at_the_bound(sources: Path) -> None:
    texts = list(train.read_sources(sources, characters=2000))
    assert 2000 <= sum(map(len, texts)) < 3000


def test_a_source_that_is_a_dangling_link_is_passed_over(sources: Path) -> None:
    (sources / "package0" / "aaa.py").symlink_to(sources / "nowhere.py")
    assert len(list(train.read_sources(sources, characters=1_000_000))) == 20


def test_training_and_validation_text_differ_and_are_the_same_every_time(sources: Path) -> None:
    one, two = make_data(sources), make_data(sources)
    assert torch.equal(one.training.text, two.training.text)
    assert torch.equal(one.validation.text, two.validation.text)
    assert "# file 0\n" in train.decode(one.validation.text)
    assert "# file 0\n" not in train.decode(one.training.text)


def test_the_batches_follow_from_the_seed_alone(sources: Path) -> None:
    def first_batch() -> torch.Tensor:
        torch.manual_seed(7)
        codes: torch.Tensor = next(iter(make_data(sources).train_dataloader()))[0]
        return codes

    assert torch.equal(first_batch(), first_batch())


def test_a_window_predicts_the_next_character(sources: Path) -> None:
    windows = make_data(sources).training
    codes, following = windows[1]
    assert torch.equal(codes[1:], following[:-1])
    assert int(windows[0][1][-1]) == int(codes[0])
    assert windows[len(windows) - 1][1].shape == (32,)


@pytest.mark.parametrize("place", ["missing", "empty"])
def test_a_folder_without_sources_is_named_together_with_the_way_out(tmp_path: Path, place: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match=rf"{place}.*--data"):
        make_data(tmp_path / place)


def test_the_standard_library_of_this_python_is_enough_for_every_size() -> None:
    args = train.parse_arguments([])
    texts = list(train.read_sources(args.data, characters=300_000))
    assert sum(map(len, texts)) >= 300_000


def test_the_loss_falls_on_a_small_text(sources: Path) -> None:
    data, model = make_data(sources), make_model()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    batches = list(data.train_dataloader())
    losses = []
    for step in range(40):
        loss = model._loss(batches[step % len(batches)])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[0] == pytest.approx(math.log(len(train.VOCABULARY)), abs=0.3)
    assert losses[-1] < 0.6 * losses[0]


def test_no_character_is_predicted_from_those_after_it() -> None:
    model = make_model()
    one = train.encode(b"def f(x):").long()[None]
    other = one.clone()
    other[0, 5:] = 1
    assert torch.allclose(model(one)[0, :5], model(other)[0, :5], atol=1e-6)
    assert not torch.allclose(model(one)[0, 5:], model(other)[0, 5:], atol=1e-6)


def test_a_sample_continues_the_prompt_beyond_the_context_and_follows_from_its_seed() -> None:
    model = make_model()
    sample = model.generate("def ", length=60, seed=3)
    assert sample.startswith("def ")
    assert len(sample) == 64
    assert set(sample) <= set(train.VOCABULARY.decode())
    assert model.generate("def ", length=60, seed=3) == sample
    assert model.generate("def ", length=60, seed=4) != sample


@pytest.mark.parametrize(
    ("step", "total", "share"),
    [(0, 1000, 0.01), (99, 1000, 1.0), (100, 1000, 1.0), (550, 1000, 0.55), (1000, 1000, 0.1), (2000, 1000, 0.1)],
)
def test_the_learning_rate_warms_up_and_then_follows_a_cosine(step: int, total: int, share: float) -> None:
    assert train.warm_up_then_cosine(step, total) == pytest.approx(share)


def test_the_learning_rate_stays_up_in_a_training_without_a_known_end() -> None:
    assert train.warm_up_then_cosine(10**6, math.inf) == pytest.approx(1.0)


def test_a_training_of_one_step_has_a_learning_rate() -> None:
    assert train.warm_up_then_cosine(0, 1) == pytest.approx(1.0)


def test_what_is_not_given_fits_the_size() -> None:
    args = train.parse_arguments(["--size", "small", "--batch-size", "8"])
    assert args.batch_size == 8
    assert args.max_epochs == train.SIZES["small"].max_epochs
    assert args.learning_rate == train.SIZES["small"].learning_rate


@pytest.mark.parametrize(("size", "millions"), [("tiny", 0.36), ("small", 10.8), ("gpt2", 86.0)])
def test_the_sizes_have_the_parameters_they_claim(size: str, millions: float) -> None:
    chosen = train.SIZES[size]
    with torch.device("meta"):
        model = train.CharacterGPT(chosen.layers, chosen.heads, chosen.width, chosen.context, chosen.learning_rate)
    assert sum(parameter.numel() for parameter in model.parameters()) / 1e6 == pytest.approx(millions, rel=0.02)


@pytest.mark.parametrize(("cpus", "workers"), [(1, 0), (2, 0), (3, 2), (64, 2)])
def test_data_workers_are_used_where_cpus_are_to_spare(
    monkeypatch: pytest.MonkeyPatch, cpus: int, workers: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cpus)), raising=False)
    assert train.spare_workers() == workers


RunProgram = Callable[..., str]


@pytest.fixture
def run_program(tmp_path: Path) -> RunProgram:
    """Run the example by its path, as anybody would, and return its output."""

    def run(*arguments: str, program: Path = PROGRAM) -> str:
        done = subprocess.run(
            [sys.executable, str(program), *arguments],
            cwd=tmp_path,
            env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": ""},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout + done.stderr

    return run


def checkpoints(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*.ckpt"))


@pytest.mark.e2e
def test_a_run_of_some_steps_ends_well_and_leaves_a_checkpoint(run_program: RunProgram, tmp_path: Path) -> None:
    run_program("--size", "tiny", "--max-steps", "8")
    assert checkpoints(tmp_path) == ["last.ckpt"]


@pytest.mark.e2e
def test_an_epoch_brings_validation_a_sample_and_checkpoints_and_can_be_resumed(
    run_program: RunProgram, tmp_path: Path, sources: Path
) -> None:
    arguments = ("--data", str(sources), "--batch-size", "2")
    first = run_program(*arguments, "--max-epochs", "1")
    assert "epoch 0, step" in first
    assert "    def " in first
    assert len(checkpoints(tmp_path)) == 2
    last = next(tmp_path.rglob("last.ckpt"))
    second = run_program(*arguments, "--max-epochs", "2", "--resume", str(last))
    assert "epoch 1, step" in second
    assert "epoch 0, step" not in second
    assert len(list(tmp_path.rglob("metrics.csv"))) == 2


@pytest.mark.e2e
def test_it_trains_on_two_ranks_that_lightning_starts_itself(
    run_program: RunProgram, tmp_path: Path, sources: Path
) -> None:
    """A copy with three more Trainer arguments stands in for the plan, which is tested where it is applied."""
    program = tmp_path / "train.py"
    ranks = 'Trainer(\n        accelerator="cpu", devices=2, strategy="ddp",\n'
    program.write_text(PROGRAM.read_text().replace("Trainer(\n", ranks, 1))
    output = run_program("--data", str(sources), "--batch-size", "2", "--max-epochs", "1", program=program)
    assert "MEMBER: 2/2" in output
    assert output.count("epoch 0, step") == 1
    assert len(checkpoints(tmp_path)) == 2
