"""What a disk refuses is one sentence, whatever refused and whoever told of it."""

import errno
import os
import subprocess
import sys

import pytest

from releve.core.errors import DiskFull, StorageRefused, explained_storage, storage_error, storage_refusal

KINDS = [
    (errno.ENOSPC, DiskFull, "free some space"),
    (errno.EDQUOT, DiskFull, "free some space"),
    (errno.EFBIG, DiskFull, "free some space"),
    (errno.EROFS, StorageRefused, "writable"),
    (errno.EACCES, StorageRefused, "the right"),
    (errno.EPERM, StorageRefused, "the right"),
    (errno.EMFILE, StorageRefused, "ulimit"),
    (errno.EIO, StorageRefused, "check the disk"),
    (errno.ENOTDIR, StorageRefused, "move the file away"),
]


@pytest.mark.parametrize(("code", "kind", "cure"), KINDS)
def test_the_sentence_names_the_file_the_reason_and_the_cure(code, kind, cure):
    with pytest.raises(kind, match=rf"b\.txt.*{os.strerror(code)}.*{cure}.*run the same again"), explained_storage():
        raise OSError(code, os.strerror(code), "/a/b.txt")


@pytest.mark.parametrize(
    "error", [FileNotFoundError(errno.ENOENT, "gone"), ConnectionRefusedError(errno.ECONNREFUSED, "no")]
)
def test_other_errors_of_the_system_stay_what_they_are(error):
    with pytest.raises(type(error)), explained_storage():
        raise error


def test_a_librarys_own_error_around_it_changes_nothing():
    def write():
        try:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/a/b.txt")
        except OSError as error:
            raise RuntimeError("cannot save the model") from error

    with pytest.raises(DiskFull, match=r"b\.txt in /a"), explained_storage():
        write()


def test_an_error_that_only_happened_before_is_no_reason():
    error = ValueError("a column is missing")
    error.__context__ = OSError(errno.ENOSPC, "full")
    error.__suppress_context__ = True

    assert storage_error(error) is None


@pytest.mark.parametrize(("code", "kind", "cure"), KINDS[:-1])
def test_what_another_program_printed_is_understood(code, kind, cure):
    printed = f"Traceback ...\n  line 1\nfatal: cannot write '/a/b': {os.strerror(code)}\n"

    found = storage_refusal(printed)

    assert isinstance(found, kind)
    assert "fatal: cannot write '/a/b'" in str(found) and "\n" not in str(found)


@pytest.mark.parametrize(
    "line",
    [
        "ERROR: unexpected error - [Errno 13] Permission denied: '/a/b'",
        "thread panicked: Permission denied (os error 13)",
        "fatal: Unable to create '/a/index.lock': Permission denied",
    ],
)
def test_a_denied_file_is_known_by_the_form_that_the_system_gives_it(line):
    assert isinstance(storage_refusal(line), StorageRefused)


@pytest.mark.parametrize(
    "line",
    [
        "error: the column 'price' is missing",
        "git@example.org: Permission denied (publickey).",
        "Permission denied to push to bucket rows: ask its owner",
        "warning: unable to access '/etc/git/attributes': Permission denied",
    ],
)
def test_what_no_disk_refused_is_not_taken_for_it(line):
    assert storage_refusal(line) is None


def end_of(code: str, **streams) -> "subprocess.CompletedProcess[str]":
    program = f"import sys\nfrom releve.core.errors import run_command\n{code}\nsys.exit(run_command(command))"
    return subprocess.run([sys.executable, "-c", program], text=True, stderr=subprocess.PIPE, **streams)


def test_a_command_whose_output_finds_no_room_ends_with_one_line():
    with open("/dev/full", "w") as full:
        done = end_of("def command(): print('x' * 100_000)", stdout=full)

    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert "No space left on device" in done.stderr


def test_a_command_that_opens_too_many_files_ends_with_one_line():
    done = end_of(
        "import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, (16, 16))\n"
        "def command(): return [open('/dev/null') for _ in range(99)]"
    )

    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert "Too many open files" in done.stderr


def test_a_bug_keeps_its_traceback():
    done = end_of("def command(): return 1 / 0")

    assert "ZeroDivisionError" in done.stderr and "Traceback" in done.stderr
