"""What a newcomer meets first: words of other tools, files of a slightly other form, figures of a part of the lines."""

import pytest

import helo
from fixtures import helo_command, text_file, trained
from helo.data.spans import scheme
from helo.errors import HeloError


def test_lines_held_out_are_in_an_order_by_chance(tmp_path):
    """So that the first of them, by which a short validation goes, are like the others, however the file is sorted."""
    names = [letter + "x" * k for letter in "abcdefghij" for k in range(1, 41)]
    (tmp_path / "names.txt").write_text("\n".join(names) + "\n")
    run = helo.train("lm", tmp_path / "names.txt", out=tmp_path / "run", steps=2, hidden=4, embedding=4, lines=True)
    symbols, split = run.task.text(run.about["data"])
    held = run.task.vocab.decode(symbols.ids[split:].tolist()).decode().splitlines()
    assert held != sorted(held)
    assert len({name[0] for name in held[:10]}) >= 4


@pytest.mark.parametrize(
    "command, given, ours",
    [
        ("sample", "--num-samples", "--streams"),
        ("sample", "--num_return_sequences", "--streams"),
        ("sample", "--max_new_tokens", "--length"),
        ("tag", "--weight_decay", "--weight-decay"),
        ("tag", "--patience", "--early-stop"),
        ("tag", "--base_path", "--out"),
        ("tag", "--use_crf", "--crf"),
    ],
)
def test_a_flag_by_the_name_of_another_tool(command, given, ours):
    words = ("sample", trained()) if command == "sample" else ("train", command, text_file())
    done = helo_command(*words, given, "3")
    assert done.code == 2
    assert done.err.strip().endswith(f"{given}: no such option; here it is {ours}")


def test_samples_in_training_are_not_its_streams():
    done = helo_command("train", "lm", text_file(), "--num-samples", "3")
    assert done.code == 2
    assert "here it is" not in done.err


def test_a_config_that_says_where_is_sent_to_the_command(tmp_path):
    (tmp_path / "c.toml").write_text('out = "there"\n')
    done = helo_command("train", "lm", text_file(), "--config", tmp_path / "c.toml")
    assert done.code == 2
    assert "c.toml:1" in done.err
    assert "--out" in done.err


def test_a_text_too_short_names_only_what_mends_it(tmp_path):
    (tmp_path / "t.txt").write_text("too short\n")
    plain = helo_command("train", "lm", tmp_path / "t.txt", "--out", tmp_path / "a")
    given = helo_command("train", "lm", tmp_path / "t.txt", "--out", tmp_path / "a", "--chunk", "64")
    assert "9 for training and 1 for validation" in plain.err
    assert "--chunk" not in plain.err
    assert "smaller --chunk" in given.err
    assert (plain.code, given.code) == (2, 2)


def test_a_span_that_only_goes_on_at_the_beginning_of_a_sentence():
    with pytest.raises(HeloError, match="first of its sentence"):
        scheme([["B-A", "O"], ["I-A", "B-A", "B-A"]], lambda i, t: f"{i}:{t}")
    with pytest.raises(HeloError, match="'O' did not begin"):
        scheme([["B-A", "O"], ["O", "I-A", "B-A", "B-A"]], lambda i, t: f"{i}:{t}")


@pytest.mark.parametrize("first", [0, 1])
def test_numbers_of_words_are_not_words(first, tmp_path):
    rows = [f"{first}\tAnna\tB-PER\tO", f"{first + 1}\tran\tO\tO", "", f"{first}\tPeter\tB-PER\tO", ""]
    (tmp_path / "t.tsv").write_text("\n".join(rows))
    done = helo_command("data", "check", "tag", tmp_path / "t.tsv", "--column", "3")
    assert done.code == 2
    assert "t.tsv:1" in done.err
    assert "cut -f 2-" in done.err


def test_columns_by_tabs_among_columns_by_blanks(tmp_path):
    (tmp_path / "t.conll").write_text("EU B-ORG\nruns O\nPeter\tB-PER\n")
    done = helo_command("data", "check", "tag", tmp_path / "t.conll")
    assert done.code == 2
    assert "t.conll:3: 2 columns separated by tabs" in done.err
