"""Writers leave the whole new file, or the old one as it was, and nothing beside it."""

import errno
import os
import subprocess
import sys

import pytest

from zkgpu.curves.bn254 import Fr
from zkgpu.errors import ResourceError, UsageError
from zkgpu.formats.atomic import replacing, require_writable, together, write_text
from zkgpu.formats.wtns import write_wtns


def test_a_written_file_is_whole_and_alone(tmp_path):
    write_text(tmp_path / "proof.json", "new")
    assert [p.name for p in tmp_path.iterdir()] == ["proof.json"]
    assert (tmp_path / "proof.json").read_text() == "new"


def test_an_error_while_writing_keeps_the_old_file(tmp_path):
    write_text(tmp_path / "key", "old")
    with pytest.raises(ZeroDivisionError), replacing(tmp_path / "key") as stream:  # noqa: PT012
        stream.write(b"half of the new")
        raise ZeroDivisionError
    assert [p.name for p in tmp_path.iterdir()] == ["key"]
    assert (tmp_path / "key").read_text() == "old"


def test_readers_see_the_old_file_until_the_new_one_is_whole(tmp_path):
    write_text(tmp_path / "key", "old")
    with replacing(tmp_path / "key") as stream:
        stream.write(b"new")
        stream.flush()
        assert (tmp_path / "key").read_text() == "old"
    assert (tmp_path / "key").read_text() == "new"


def mode_of(path) -> str:
    return oct(path.stat().st_mode & 0o7777)


@pytest.fixture
def umask():
    before = os.umask(0o022)
    yield os.umask
    os.umask(before)


MODES = [  # of the old file, of a new public one, of a new secret one
    (None, "0o644", "0o600"),
    (0o644, "0o644", "0o600"),
    (0o666, "0o644", "0o600"),
    (0o640, "0o640", "0o600"),
    (0o600, "0o600", "0o600"),
    (0o400, "0o400", "0o400"),
    (0o4755, "0o644", "0o600"),
]


@pytest.mark.parametrize(("old", "public", "secret"), MODES)
def test_nobody_may_do_more_with_a_new_file_than_with_the_old_one(tmp_path, umask, old, public, secret):
    for wanted, kept in ((public, False), (secret, True)):
        path = tmp_path / f"file-{kept}"
        if old is not None:
            path.write_text("old")
            path.chmod(old)
        with replacing(path, secret=kept) as stream:
            (part,) = set(tmp_path.glob(".*.part"))
            assert mode_of(part) == wanted  # from the first byte on
            stream.write(b"new")
        assert mode_of(path) == wanted
        assert path.read_bytes() == b"new"


def test_a_file_is_not_wider_than_the_umask(tmp_path, umask):
    umask(0o077)
    write_text(tmp_path / "key", "new")
    assert mode_of(tmp_path / "key") == "0o600"


def test_a_file_whose_mode_is_narrowed_while_it_is_replaced_stays_narrow(tmp_path, umask):
    (tmp_path / "key").write_text("old")
    with replacing(tmp_path / "key") as stream:
        stream.write(b"new")
        (tmp_path / "key").chmod(0o600)
    assert mode_of(tmp_path / "key") == "0o600"


def test_a_secret_behind_a_link_is_for_its_owner_only(tmp_path, umask):
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with replacing(tmp_path / "link", secret=True) as stream:
        stream.write(b"new")
    assert mode_of(tmp_path / "real") == "0o600"


def test_a_witness_is_for_its_owner_only(tmp_path, umask):
    (tmp_path / "old.wtns").write_text("old")
    for name in ("new.wtns", "old.wtns"):
        write_wtns(tmp_path / name, Fr, Fr.to_limbs([1, 2]))
        assert mode_of(tmp_path / name) == "0o600"


def test_what_a_killed_process_left_is_removed_by_the_next_write(tmp_path):
    program = (
        "import os, sys\nfrom zkgpu.formats.atomic import replacing\n"
        "with replacing(sys.argv[1]) as s:\n    s.write(b'half'); s.flush(); os.kill(os.getpid(), 9)"
    )
    run = subprocess.run([sys.executable, "-c", program, str(tmp_path / "key")])
    assert run.returncode == -9
    assert len(list(tmp_path.iterdir())) == 1
    write_text(tmp_path / "key", "new")
    assert [p.name for p in tmp_path.iterdir()] == ["key"]


def test_the_part_of_a_running_process_is_left_alone(tmp_path):
    with replacing(tmp_path / "key") as stream:
        stream.write(b"first")
        write_text(tmp_path / "key", "second")
    assert (tmp_path / "key").read_text() == "first"


def test_a_link_is_followed_and_stays_a_link(tmp_path):
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    write_text(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"


def test_a_device_is_written_directly():
    write_text("/dev/null", "gone")
    assert not os.path.isfile("/dev/null")


@pytest.mark.parametrize("name", ["missing/file", "."])
def test_a_place_that_cannot_be_written_is_a_one_line_error(tmp_path, name):
    with pytest.raises(ResourceError, match="cannot be written") as error:
        write_text(tmp_path / name, "text")
    assert "\n" not in str(error.value)


def test_files_get_the_permissions_of_any_new_file(tmp_path):
    (tmp_path / "plain").write_text("x")
    write_text(tmp_path / "ours", "x")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "plain").stat().st_mode


CALLS = ("unlink", "replace", "fsync", "open")


def killed_at(tmp_path, k):
    """The folder after a process that replaces a group of three dies at its k-th call of the system, or None."""
    folder = tmp_path / str(k)
    folder.mkdir()
    for name in "abc":
        (folder / name).write_text("old")
    (folder / "stale").write_text("old")
    pid = os.fork()
    if not pid:
        count = iter(range(10**6))

        def dying(call):
            def die(*arguments, **options):
                if next(count) == k:
                    os._exit(9)
                return call(*arguments, **options)

            return die

        for name in CALLS:
            setattr(os, name, dying(getattr(os, name)))
        with together(*(folder / name for name in "abc"), remove=[folder / "stale"]) as parts:
            for part in parts:
                write_text(part, "new")
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert code in (0, 9)
    return None if code == 0 else {p.name: p.read_text() for p in folder.iterdir() if not p.name.endswith(".part")}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_process_that_dies_at_any_call_leaves_no_old_file_beside_a_new_one(tmp_path):
    seen = []
    while (left := killed_at(tmp_path, len(seen))) is not None:
        seen.append(left)
        assert set(left.values()) in ({"old"}, {"new"}, set()), left
        if "c" in left:
            assert {"a", "b"} <= set(left), left
    assert seen[0] == {name: "old" for name in ("a", "b", "c", "stale")}
    assert seen[-1] == {name: "new" for name in "abc"}
    assert len(seen) > (15 if sys.version_info >= (3, 11) else 12)  # pathlib before kept an os.unlink of its own


def refused(number):
    def refuse(*arguments):
        raise OSError(number, os.strerror(number))

    return refuse


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_place_without_room_is_refused_before_the_work(tmp_path, monkeypatch, number):
    monkeypatch.setattr(os, "posix_fallocate", refused(number))
    with pytest.raises(ResourceError, match=os.strerror(number)):
        require_writable(tmp_path / "a")
    assert not list(tmp_path.iterdir())


def test_a_place_is_looked_at_without_waiting_for_the_disk_where_the_system_can_reserve_a_block(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", refused(errno.EIO))
    require_writable(tmp_path / "a")
    monkeypatch.setattr(os, "posix_fallocate", refused(errno.EOPNOTSUPP))
    with pytest.raises(ResourceError, match="cannot be written"):
        require_writable(tmp_path / "a")
    assert not list(tmp_path.iterdir())


def test_new_files_wait_for_the_disk_as_often_as_they_must(tmp_path, monkeypatch):
    """Each file and the folder; where old ones go first, the folder twice."""
    synced, fsync = [], os.fsync
    monkeypatch.setattr(os, "fsync", lambda descriptor: (synced.append(descriptor), fsync(descriptor)))
    write_group(tmp_path / "a", tmp_path / "b")
    assert len(synced) == 3
    write_group(tmp_path / "a", tmp_path / "b")
    assert len(synced) == 7


def write_group(*paths):
    with together(*paths) as parts:
        for part in parts:
            write_text(part, "new")


def test_a_group_of_which_one_cannot_be_made_leaves_all_as_they_were(tmp_path):
    write_text(tmp_path / "a", "old")
    with pytest.raises(ResourceError, match="cannot be written"), together(tmp_path / "a", tmp_path / "no" / "b"):
        raise AssertionError("the block is not entered")
    (tmp_path / "dir").mkdir()
    with pytest.raises(ResourceError, match="dir: cannot be written"):
        write_group(tmp_path / "a", tmp_path / "dir")
    assert {p.name for p in tmp_path.iterdir()} == {"a", "dir"}
    assert (tmp_path / "a").read_text() == "old"


def test_a_group_has_a_place_for_each(tmp_path):
    write_text(tmp_path / "a", "old")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    with pytest.raises(UsageError, match="a place for each"):
        write_group(tmp_path / "a", tmp_path / "link")
    assert {p.name for p in tmp_path.iterdir()} == {"a", "link"}
    assert (tmp_path / "a").read_text() == "old"


@pytest.mark.parametrize("failing", [0, 1])
def test_a_group_of_which_one_cannot_be_flushed_leaves_all_as_they_were(tmp_path, monkeypatch, failing):
    for name in "ab":
        write_text(tmp_path / name, "old")
    count, fsync = iter(range(10)), os.fsync

    def full(descriptor):
        if next(count) == failing:
            raise OSError(28, "No space left on device")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ResourceError, match=f"/{'ab'[failing]}: cannot be written .No space left"):
        write_group(tmp_path / "a", tmp_path / "b")
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == {"a": "old", "b": "old"}


@pytest.mark.parametrize(("old", "public", "secret"), MODES)
def test_nobody_may_do_more_with_a_new_group_than_with_the_old_one(tmp_path, umask, old, public, secret):
    paths = tmp_path / "a", tmp_path / "b"
    for path in paths if old is not None else ():
        path.write_text("old")
        path.chmod(old)
    with together(*paths) as parts:
        for part, kept in zip(parts, (False, True), strict=True):
            with replacing(part, secret=kept) as stream:
                stream.write(b"new")
                assert int(mode_of(part), 8) & 0o077 == int(secret if kept else public, 8) & 0o077
    assert [mode_of(path) for path in paths] == [public, secret]
    assert all(path.read_bytes() == b"new" for path in paths)
