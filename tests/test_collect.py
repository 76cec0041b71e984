"""What a platform hands out, sorted by students: whose each file is, which one is taken, what is left out and told."""

import os
import time
import zipfile
from pathlib import Path

import pytest
from classes import NAME, ROOT, STEM, zipped

from nanogpt.course.classroom.assemble import LARGEST
from nanogpt.course.classroom.collect import collect, collected_remarks, students_of

FILE = f"{STEM}.ipynb"
ROSTER = "id,first_name,last_name,email,lms_user_id\ns01,First,Last,,12345\ns02,Second,Name,,54321\ns03,,,,\n"


@pytest.fixture
def course(tmp_path) -> Path:
    """A course with the names of its exercises and nothing in it: collecting opens no notebook."""
    folder = tmp_path / "course"
    (folder / "solutions" / NAME).mkdir(parents=True)
    (folder / "solutions" / NAME / FILE).touch()
    (folder / "nbgrader_config.py").write_bytes((ROOT / "nbgrader_config.py").read_bytes())
    return folder


def with_roster(course: Path) -> Path:
    (course / "roster.csv").write_text(ROSTER)
    return course


def kept(course: Path) -> dict[str, str]:
    """What each student's folder holds: its file's content, which the tests make tell where it came from."""
    files = [path for path in (course / "submitted").rglob("*") if path.is_file() and path.parent.name == NAME]
    assert all(path.name == FILE or path.suffix != ".ipynb" for path in files)
    return {path.parents[1].name: path.read_text() for path in files}


PLATFORMS = {
    "plain": {"s01_attention.ipynb": "s01", "s02_attention.ipynb": "s02"},
    "canvas": {
        "lastfirst_12345_67890_attention.ipynb": "12345",
        "namesecond_LATE_54321_67891_attention-1.ipynb": "54321",
    },
    "moodle": {
        "First Last_12345_assignsubmission_file_/attention.ipynb": "12345",
        "Second Name_54321_assignsubmission_file/attention.ipynb": "54321",
    },
    "folders": {f"s01/{NAME}/attention.ipynb": "s01", "s02/attention.ipynb": "s02"},
}


@pytest.mark.parametrize("platform", PLATFORMS)
def test_without_a_roster_the_names_of_each_platform_tell_the_student(course, tmp_path, platform):
    files = PLATFORMS[platform]
    source = zipped(tmp_path / "all.zip", {name: name.encode() for name in files})
    assert collect(course, NAME, source) == (sorted(files.values()), [])
    assert kept(course) == {student: name for name, student in files.items()}


@pytest.mark.parametrize("platform", PLATFORMS)
def test_with_a_roster_the_student_has_the_rosters_id(course, tmp_path, platform):
    first, second = PLATFORMS[platform]
    source = zipped(tmp_path / "all.zip", {name: name.encode() for name in (first, second)})
    assert collect(with_roster(course), NAME, source) == (["s01", "s02"], [])
    assert kept(course) == {"s01": first, "s02": second}


def test_a_folder_is_sorted_as_a_zip_is(course, tmp_path):
    for name in PLATFORMS["folders"]:
        (tmp_path / "all" / name).parent.mkdir(parents=True)
        (tmp_path / "all" / name).write_text(name)
    (tmp_path / "all" / "s03").mkdir()
    (tmp_path / "secret").write_text("not handed in")
    (tmp_path / "all" / "s03" / FILE).symlink_to(tmp_path / "secret")
    assert collect(course, NAME, tmp_path / "all") == (["s01", "s02"], [])
    assert kept(course) == {student: name for name, student in PLATFORMS["folders"].items()}


def test_what_is_nobodys_or_may_be_several_peoples_is_left_out_and_told(course, tmp_path):
    names = ["s01_attention.ipynb", "s04_attention.ipynb", "attention.ipynb", "s02_of_s03.ipynb"]
    source = zipped(tmp_path / "all.zip", dict.fromkeys(names, b""))
    students, remarks = collect(with_roster(course), NAME, source)
    assert students == ["s01"] and list(kept(course)) == ["s01"]
    assert remarks == [
        "s04_attention.ipynb is of nobody on the roster and was left out",
        "attention.ipynb is of nobody on the roster and was left out",
        "s02_of_s03.ipynb may be of s02 or s03 and was left out; "
        f"put it into {course / 'submitted'}/ID/{NAME}/ by hand",
    ]
    assert collected_remarks(course, NAME) == remarks


def test_without_a_roster_a_name_that_tells_nobody_is_left_out_and_told(course, tmp_path):
    source = zipped(
        tmp_path / "all.zip", dict.fromkeys(["attention.ipynb", "s01_attention_copy.ipynb", "notes.txt"], b"")
    )
    students, remarks = collect(course, NAME, source)
    assert students == []
    assert [remark.split(" is of nobody that its name tells")[0] for remark in remarks] == [
        "attention.ipynb", "s01_attention_copy.ipynb", "notes.txt",
    ]  # fmt: skip
    assert not kept(course)


def test_without_a_roster_nothing_inside_a_moodle_folder_tells_the_student(course, tmp_path):
    inside = ["s01_attention.ipynb", "s01/attention.ipynb", "work/s01_attention.ipynb", "s01_work/attention.ipynb"]
    files = [f"Full Name_12345_assignsubmission_file_/{name}" for name in inside]
    students, remarks = collect(course, NAME, zipped(tmp_path / "all.zip", dict.fromkeys(files, b"")))
    assert students == [] and not kept(course)
    assert remarks == [f"{name} is of nobody that its name tells and was left out" for name in files]


def test_a_name_in_another_encoding_stops_nothing(course, tmp_path):
    for student, name in {b"s01": b"attention.ipynb", b"s02": b"caf\xe9.txt", b"\xe9": b"attention.ipynb"}.items():
        folder = tmp_path / "all" / os.fsdecode(student)
        folder.mkdir(parents=True)
        (folder / os.fsdecode(name)).write_bytes(student)
    students, remarks = collect(with_roster(course), NAME, tmp_path / "all")
    assert students == ["s01", "s02"] and kept(course) == {"s01": "s01", "s02": "s02"}
    assert remarks == ["?/attention.ipynb is of nobody on the roster and was left out"]
    assert collected_remarks(course, NAME) == remarks
    assert [path.name for path in (course / "submitted" / "s02" / NAME).iterdir()] == ["caf_.txt"]


def test_of_two_by_one_student_the_later_is_taken_and_told(course, tmp_path):
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for name, month in [("s01_attention.ipynb", 2), ("s01_attention-1.ipynb", 3), ("s01_attention-2.ipynb", 1)]:
            archive.writestr(zipfile.ZipInfo(name, (2026, month, 1, 12, 0, 0)), name)
    students, remarks = collect(with_roster(course), NAME, tmp_path / "all.zip")
    assert students == ["s01"]
    assert remarks == ["s01 handed in 3 files; s01_attention-1.ipynb was taken"]
    assert kept(course) == {"s01": "s01_attention-1.ipynb"}


def test_of_two_notebooks_the_one_of_the_exercise_is_taken_whatever_their_times(course, tmp_path):
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for name, month in {"a_12345_50_work.ipynb": 1, "a_12345_51_plots.ipynb": 2, "b_54321_52_attention.ipynb": 1,
                            "b_54321_53_tokenizer.ipynb": 2}.items():  # fmt: skip
            ours = '{"nbgrader"}' if "plots" not in name else ""
            archive.writestr(zipfile.ZipInfo(name, (2026, month, 1, 12, 0, 0)), f"{name}{ours}")
    _, remarks = collect(with_roster(course), NAME, tmp_path / "all.zip")
    assert remarks[0] == "s01 handed in 2 files; a_12345_50_work.ipynb was taken"
    assert kept(course)["s02"].startswith("b_54321_52_attention.ipynb")


@pytest.mark.parametrize(
    "name",
    [
        "unknownliz_999_9300_s02_attention.ipynb",
        "Bob Smith_12345_assignsubmission_file_/attention.ipynb",
        "Liz Unknown_7_assignsubmission_file_/s02_attention.ipynb",
    ],
)
def test_what_a_file_of_a_platform_is_called_makes_it_nobody_elses(course, tmp_path, name):
    students, remarks = collect(with_roster(course), NAME, zipped(tmp_path / "all.zip", {name: b""}))
    assert students == [] and remarks == [f"{name} is of nobody on the roster and was left out"]


def test_the_same_file_once_more_keeps_its_time(course, tmp_path):
    with_roster(course)
    for year in (2025, 2026):
        collect(course, NAME, zipped(tmp_path / f"{year}.zip", {"s01_attention.ipynb": b"same"}, year))
    changed = (course / "submitted" / "s01" / NAME / FILE).stat().st_mtime
    assert time.localtime(changed).tm_year == 2025


@pytest.mark.parametrize(("content", "words"), [(None, "is not there; copy"), ("c = (", "can't be read .*; mend it")])
def test_without_nbgraders_settings_a_sentence_tells_so(course, tmp_path, content, words):
    (course / "nbgrader_config.py").unlink()
    if content:
        (course / "nbgrader_config.py").write_text(content)
    source = zipped(tmp_path / "all.zip", {"s01_attention.ipynb": b""})
    with pytest.raises((FileNotFoundError, ValueError), match=f"nbgrader_config.py {words}"):
        collect(course, NAME, source)


def test_a_notebook_is_taken_before_a_later_file_that_is_none(course, tmp_path):
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr(zipfile.ZipInfo("s01_attention.ipynb", (2026, 1, 1, 12, 0, 0)), "notebook")
        archive.writestr(zipfile.ZipInfo("s01_notes.txt", (2026, 2, 1, 12, 0, 0)), "notes")
        archive.writestr(zipfile.ZipInfo("s02_notes.txt", (2026, 2, 1, 12, 0, 0)), "only notes")
    assert collect(with_roster(course), NAME, tmp_path / "all.zip") == (["s01", "s02"], [])
    assert kept(course) == {"s01": "notebook", "s02": "only notes"}
    assert (course / "submitted" / "s02" / NAME / "s02_notes.txt").exists()


def test_what_comes_later_replaces_what_was_collected_and_what_is_earlier_does_not(course, tmp_path):
    with_roster(course)
    for year in (2024, 2026, 2025):
        source = zipped(tmp_path / f"{year}.zip", {"s01_attention.ipynb": b"%d" % year}, year)
        _, remarks = collect(course, NAME, source)
    assert kept(course) == {"s01": "2026"}
    assert remarks == ["s01 had handed in something later than s01_attention.ipynb, which was left out"]
    handed_in = (course / "submitted" / "s01" / NAME / FILE).stat().st_mtime
    collect(course, NAME, tmp_path / "2026.zip")  # the same once more
    assert (course / "submitted" / "s01" / NAME / FILE).stat().st_mtime == handed_in


def test_a_notebook_takes_the_place_of_what_was_no_notebook(course, tmp_path):
    with_roster(course)
    collect(course, NAME, zipped(tmp_path / "a.zip", {"s01_work.txt": b"text"}, 2025))
    collect(course, NAME, zipped(tmp_path / "b.zip", {"s01_work.ipynb": b"notebook"}, 2026))
    assert kept(course) == {"s01": "notebook"}


@pytest.mark.parametrize("rostered", [False, True])
@pytest.mark.parametrize(
    "name",
    ["../../s01_attention.ipynb", "/outside/s01_attention.ipynb", "s01/../../../s01_attention.ipynb",
     "..\\s01_attention.ipynb", "../s01/attention.ipynb", "../../../s01/.bashrc", "s01_attention.ipynb/../../../x"],
)  # fmt: skip
def test_a_zip_can_write_nothing_outside(course, tmp_path, name, rostered):
    if rostered:
        with_roster(course)
    before = tree(tmp_path) | {"all.zip"}
    collect(course, NAME, zipped(tmp_path / "all.zip", {name: b"x"}))
    new = tree(tmp_path) - before
    place = Path("course", "submitted", "s01", NAME, FILE)
    assert new <= {f"course/submitted/{NAME}.json", *(path.as_posix() for path in (place, *place.parents))}
    assert not Path("/outside").exists()


def tree(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


@pytest.mark.parametrize("name", ["x" * 240 + ".txt", "\u6570" * 80 + ".txt", "timestamp.txt"])
def test_a_name_that_cannot_be_kept_costs_nobody_anything(course, tmp_path, name):
    source = zipped(tmp_path / "all.zip", {f"s01/{name}": b"odd", "s02_attention.ipynb": b"good"})
    assert collect(with_roster(course), NAME, source) == (["s01", "s02"], [])
    assert kept(course) == {"s01": "odd", "s02": "good"}
    assert (course / "submitted" / "s01" / NAME / "handed_in.txt").exists()


def test_hidden_files_are_left_out_without_a_word(course, tmp_path):
    names = ["__MACOSX/._s01_attention.ipynb", ".s01_attention.ipynb", ".ipynb_checkpoints/s01_attention.ipynb"]
    source = zipped(tmp_path / "all.zip", dict.fromkeys([*names, "s02/"], b""))
    assert collect(with_roster(course), NAME, source) == ([], [])


def test_of_a_file_that_is_too_large_the_beginning_is_kept_and_refused_later(course, tmp_path):
    source = tmp_path / "all.zip"
    with zipfile.ZipFile(source, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("s01_attention.ipynb", bytes(LARGEST * 3))
    collect(with_roster(course), NAME, source)
    assert (course / "submitted" / "s01" / NAME / FILE).stat().st_size == LARGEST + 1


def test_what_is_no_zip_and_no_folder_is_told_in_a_sentence(course, tmp_path):
    (tmp_path / "a.zip").write_text("hello")
    with pytest.raises(ValueError, match=r"a\.zip is neither a zip nor a folder; name what your platform gave you"):
        collect(course, NAME, tmp_path / "a.zip")
    with pytest.raises(FileNotFoundError, match=r"b\.zip does not exist; name the zip that your platform gave you"):
        collect(course, NAME, tmp_path / "b.zip")
    with pytest.raises(FileNotFoundError, match="there is no solution called '99_nothing'"):
        collect(course, "99_nothing", tmp_path / "a.zip")


def test_a_zip_that_is_damaged_is_told_in_a_sentence_and_nothing_of_it_is_kept(course, tmp_path):
    source = zipped(tmp_path / "all.zip", {"s01_attention.ipynb": b"right", "s02_attention.ipynb": b"other"})
    source.write_bytes(source.read_bytes().replace(b"other", b"0ther"))
    with pytest.raises(
        ValueError, match=r"all\.zip can't be read \(Bad CRC-32 .*; get the zip from your platform once more"
    ):
        collect(course, NAME, source)
    assert not kept(course)


@pytest.mark.parametrize("kind", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_whose_packing_is_damaged_is_told_in_a_sentence(course, tmp_path, kind):
    source = tmp_path / "all.zip"
    with zipfile.ZipFile(source, "w", kind) as archive:
        archive.writestr("s01_attention.ipynb", bytes(range(256)) * 100)
    content = bytearray(source.read_bytes())
    content[55:95] = bytes(40)
    source.write_bytes(content)
    with pytest.raises(ValueError, match=r"all\.zip can't be read \(.*; get the zip from your platform once more"):
        collect(course, NAME, source)


def test_who_handed_in_is_told_from_who_is_not_on_the_roster(course):
    for student in ("s02", "s01", "s09"):
        (course / "submitted" / student / NAME).mkdir(parents=True)
    (course / "submitted" / f"{NAME}.json").write_text("[]")
    assert [student.id for student in students_of(course, NAME)[0]] == ["s01", "s02", "s09"]
    known, strangers = students_of(with_roster(course), NAME)
    assert [(student.id, student.last_name) for student in known] == [("s01", "Last"), ("s02", "Name")]
    assert strangers == ["s09 is not on the roster, so what they handed in is not graded"]


def test_a_later_file_that_is_no_notebook_does_not_take_a_notebooks_place(course, tmp_path):
    collect(with_roster(course), NAME, zipped(tmp_path / "one.zip", {"s01_attention.ipynb": b"mine"}))
    _, remarks = collect(course, NAME, zipped(tmp_path / "two.zip", {"s01_notes.txt": b"notes"}, year=2027))
    assert remarks == ["s01_notes.txt is no notebook, so what s01 handed in before stays"]
    assert kept(course) == {"s01": "mine"}


def test_of_two_files_of_one_moment_the_second_attempt_is_taken(course, tmp_path):
    files = {f"a_12345_{n}_attention.ipynb": b"first" for n in (9, 10)}
    files |= {"a_12345_10_attention-1.ipynb": b"second"}
    collect(with_roster(course), NAME, zipped(tmp_path / "both.zip", files))
    assert kept(course) == {"s01": "second"}
