# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import io
import os
import pathlib
import shutil
import struct
import subprocess

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._errors import LimitError, MalformedError
from ansible_collections.rehost.hyperv.plugins.module_utils._formats import journal
from ansible_collections.rehost.hyperv.tests.unit.journal_builder import HEADER_SIZE, Message, build_journal
from hypothesis import given
from hypothesis import strategies as st

JOURNALD = pathlib.Path("/usr/lib/systemd/systemd-journald")
MESSAGES = [Message("Linux version 6.1.0"), Message("Started.", "stdout"), Message("Hypervisor detected: Xen HVM")]

texts = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0"), max_size=60)


def read(data: bytes) -> list[str]:
    return list(journal.kernel_messages(io.BytesIO(data)))


def journalctl(path: pathlib.Path) -> list[str]:
    """The kernel's messages, as journalctl shows them; it finds them without an index only where it reads all."""
    done = subprocess.run(
        ["journalctl", "--file", path, "--output=cat", "--no-pager", "--quiet", "_TRANSPORT=kernel"],
        stdout=subprocess.PIPE,
        check=True,
    )
    return done.stdout.decode("utf-8", "surrogateescape").split("\n")[:-1]


@pytest.mark.parametrize("is_compact", [True, False])
def test_what_the_kernel_said_is_read_and_nothing_else(is_compact: bool) -> None:
    assert read(build_journal(MESSAGES, is_compact=is_compact)) == [MESSAGES[0].text, MESSAGES[2].text]


def test_a_message_that_comes_again_is_stored_once_and_read_again() -> None:
    assert read(build_journal([*MESSAGES, MESSAGES[0]]))[-1] == MESSAGES[0].text


def test_a_program_that_says_what_the_kernel_says_is_not_the_kernel() -> None:
    assert read(build_journal([Message(MESSAGES[0].text, "syslog"), MESSAGES[2]])) == [MESSAGES[2].text]
    assert read(build_journal([Message("_TRANSPORT=kernel", "stdout")])) == []


def test_bytes_that_are_no_text_survive() -> None:
    assert read(build_journal([Message("a\udcff")])) == ["a\udcff"]


@pytest.mark.parametrize("compression", [1, 2, 4])
def test_a_compressed_message_is_passed_over(compression: int) -> None:
    assert read(build_journal([Message("zipped", compression=compression), MESSAGES[2]])) == [MESSAGES[2].text]


def test_a_message_longer_than_any_of_the_kernel_is_passed_over() -> None:
    assert read(build_journal([Message("x" * journal.LARGEST_MESSAGE), Message("short")])) == ["short"]


def test_an_empty_journal_holds_nothing() -> None:
    assert read(build_journal([])) == []


@pytest.mark.parametrize("data", [b"", b"LPKSHHRH", b"\0" * 999, b"KSHHRHLP" + b"\0" * 999])
def test_what_is_no_journal_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedError, match="no file of the systemd journal"):
        read(data)


def test_a_feature_of_the_future_is_refused() -> None:
    with pytest.raises(MalformedError, match="0x40"):
        read(build_journal(MESSAGES, flags=0x40))


def test_a_file_that_was_cut_off_is_read_up_to_there() -> None:
    data = build_journal(MESSAGES)
    place = data.index(b"MESSAGE=Hypervisor")
    assert read(data[:place]) == [MESSAGES[0].text]
    assert read(data[:place].ljust(len(data), b"\0")) == [MESSAGES[0].text]


@pytest.mark.parametrize("size", [0, 1, 15, 1 << 40, (1 << 63) - 1, 1 << 63, (1 << 64) - 1])
def test_an_object_that_lies_about_its_size_ends_the_reading(size: int) -> None:
    data = bytearray(build_journal(MESSAGES))
    struct.pack_into("<Q", data, HEADER_SIZE + 8, size)
    struct.pack_into("<Q", data, 136, (1 << 64) - 1)  # where the last object is
    assert read(bytes(data)) == []


def test_more_objects_than_any_file_has_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "MOST_OBJECTS", 5)
    with pytest.raises(LimitError, match="more than 5 objects"):
        read(build_journal(MESSAGES))


@given(st.data())
def test_damage_anywhere_is_survived(data: st.DataObject) -> None:
    content = bytearray(build_journal(MESSAGES, is_compact=data.draw(st.booleans())))
    for place in data.draw(st.lists(st.integers(8, len(content) - 8), max_size=6)):
        content[place : place + 8] = data.draw(st.binary(min_size=8, max_size=8))
    try:
        assert all(isinstance(message, str) for message in read(bytes(content)))
    except MalformedError:
        pass


@given(st.lists(st.tuples(texts, st.sampled_from(["kernel", "stdout", "syslog"]))), st.booleans())
def test_every_message_of_the_kernel_comes_in_its_order(messages: list[tuple[str, str]], is_compact: bool) -> None:
    data = build_journal([Message(*message) for message in messages], is_compact=is_compact)
    assert read(data) == [text for text, transport in messages if transport == "kernel"]


@pytest.mark.skipif(not shutil.which("journalctl"), reason="no journalctl")
@pytest.mark.parametrize("is_compact", [True, False])
def test_the_files_of_these_tests_are_journals(is_compact: bool, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "system.journal"
    path.write_bytes(build_journal(MESSAGES, is_compact=is_compact))
    command = ["journalctl", "--file", path, "--output=cat", "--no-pager", "--quiet"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    assert done.stdout.splitlines() == [message.text for message in MESSAGES]


WRITE = """
set -e
mount -t tmpfs none /run
mkdir -p /run/systemd/journal /run/systemd/journald.conf.d
# or it would switch the kernel's auditing on
printf '[Journal]\\nAudit=no\\n' >/run/systemd/journald.conf.d/test.conf
{journald} &
for _turn in $(seq 100); do
    test -S /run/systemd/journal/stdout && break
    sleep 0.1
done
echo 'Linux version of a program' | systemd-cat
sleep 1
kill %1
wait || true
cat /run/log/journal/*/system.journal >"$1"
"""


@pytest.mark.skipif(not (JOURNALD.exists() and shutil.which("journalctl")), reason="no systemd-journald")
@pytest.mark.skipif(os.geteuid() != 0 or not os.access("/dev/kmsg", os.R_OK), reason="cannot run a journald of its own")
@pytest.mark.parametrize("is_compact", [True, False])
def test_journalctl_reads_the_same_of_what_journald_wrote(is_compact: bool, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "system.journal"
    command = ["unshare", "--mount", "bash", "-c", WRITE.format(journald=JOURNALD), "bash", path]
    environment = {**os.environ, "SYSTEMD_JOURNAL_COMPACT": str(int(is_compact))}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        pytest.skip(f"no journald of its own here: {done.stdout.decode(errors='replace')}")
    data = path.read_bytes()
    assert bool(data[12] & 1 << 4) == is_compact
    shown = journalctl(path)
    assert shown
    assert read(data) == [message for message in shown if len(message) + len("MESSAGE=") < 512]
