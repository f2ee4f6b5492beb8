# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import shutil
import subprocess
import time

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils import _errors
from ansible_collections.rehost.hyperv.plugins.module_utils._formats import grub_cfg, kernel_cmdline
from hypothesis import given
from hypothesis import strategies as st

ROOT = "7f2c1b0a-3d4e-4f50-8a61-9b7c8d9e0f11"

HEADER = """\
if [ -s $prefix/grubenv ]; then
  set have_grubenv=true
  load_env
fi
if [ "${next_entry}" ] ; then
   set default="${next_entry}"
   set next_entry=
   save_env next_entry
   set boot_once=true
else
   set default="DEFAULT"
fi

if [ x"${feature_menuentry_id}" = xy ]; then
  menuentry_id_option="--id"
else
  menuentry_id_option=""
fi
export menuentry_id_option

function savedefault {
  if [ -z "${boot_once}" ]; then
    saved_entry="${chosen}"
    save_env saved_entry
  fi
}
function load_video {
  if [ x$feature_all_video_module = xy ]; then
    insmod all_video
  else
    insmod efi_gop
  fi
}

if [ x$feature_default_font_path = xy ] ; then
   font=unicode
else
insmod part_msdos
set root='hd0,msdos1'
    font="/usr/share/grub/unicode.pf2"
fi
if loadfont $font ; then
  set gfxmode=auto
  load_video
  insmod gfxterm
fi
terminal_output gfxterm
if [ "${recordfail}" = 1 ] ; then
  set timeout=30
else
  if [ x$feature_timeout_style = xy ] ; then
    set timeout_style=menu
    set timeout=5
  else
    set timeout=5
  fi
fi
"""

FOOTER = """\
### BEGIN /etc/grub.d/41_custom ###
if [ -f  ${config_directory}/custom.cfg ]; then
  source ${config_directory}/custom.cfg
elif [ -z "${config_directory}" -a -f  $prefix/custom.cfg ]; then
  source $prefix/custom.cfg
fi
### END /etc/grub.d/41_custom ###
"""

PREPARE = f"""\
\tload_video
\tinsmod gzio
\tif [ x$grub_platform = xxen ]; then insmod xzio; insmod lzopio; fi
\tinsmod part_msdos
\tinsmod ext2
\tset root='hd0,msdos1'
\tif [ x$feature_platform_search_hint = xy ]; then
\t\tsearch --no-floppy --fs-uuid --set=root --hint-bios=hd0,msdos1 --hint='hd0,msdos1'  {ROOT}
\telse
\t\tsearch --no-floppy --fs-uuid --set=root {ROOT}
\tfi
"""


def entry(title: str, identifier: str, version: str, arguments: str, indent: str = "") -> str:
    lines = (
        f"menuentry '{title}' --class debian --class gnu-linux --class os $menuentry_id_option '{identifier}' {{\n"
        f"{PREPARE}"
        f"\techo\t'Loading Linux {version} ...'\n"
        f"\tlinux\t/boot/vmlinuz-{version} root=UUID={ROOT} {arguments}\n"
        f"\techo\t'Loading initial ramdisk ...'\n"
        f"\tinitrd\t/boot/initrd.img-{version}\n"
        "}\n"
    )
    return "".join(indent + line + "\n" for line in lines.splitlines())


def debian_12(default: str = "0") -> str:
    return (
        HEADER.replace("DEFAULT", default)
        + entry("Debian GNU/Linux", f"gnulinux-simple-{ROOT}", "6.1.0-2-amd64", "ro console=hvc0 quiet")
        + f"submenu 'Advanced options for Debian GNU/Linux' $menuentry_id_option 'gnulinux-advanced-{ROOT}' {{\n"
        + entry(
            "Debian, with Linux 6.1.0-2-amd64", f"gnulinux-6.1.0-2-amd64-advanced-{ROOT}", "6.1.0-2-amd64", "ro", "\t"
        )
        + entry(
            "Debian, with Linux 6.1.0-1-amd64", f"gnulinux-6.1.0-1-amd64-advanced-{ROOT}", "6.1.0-1-amd64", "ro", "\t"
        )
        + "}\n"
        + FOOTER
    )


def selected(text: str, **known: object) -> str | None:
    found = grub_cfg.default_entry(grub_cfg.parse(text), **known)  # type: ignore[arg-type]
    return None if found is None else found.title


FRAGMENTS = [
    'menu"entry" q {',
    "while menuentry a { b; }; do",
    "$x a { b; }",
    "menuentry a",
    "menuentry 'a' --id x {",
    "}",
    "{",
    "\n",
    ";",
    " ",
    "if [ a ]; then",
    "else",
    "elif",
    "fi",
    "submenu b {",
    "'",
    '"',
    "linux /vmlinuz ro",
    "$x",
    "${y}",
    "$",
    "\\",
    "\\\n",
    "#",
    "function f {",
    "for i in a; do",
    "done",
    "while",
    "\r\n",
    "set default=1",
    "set",
    "=",
    "|",
    "&&",
    "<",
    "source x",
    "initrd /i",
    "search --set=root u",
    "\0",
    "\x0c",
    "é",
    "[ -f",
]
scripts = st.one_of(
    st.text(), st.lists(st.sampled_from(FRAGMENTS)).map(" ".join), st.lists(st.sampled_from(FRAGMENTS)).map("".join)
)


@given(scripts)
def test_every_text_comes_back_as_it_was_and_is_read_without_an_error(text: str) -> None:
    document = grub_cfg.parse(text)
    assert grub_cfg.render(document) == text
    grub_cfg.find_default(document, {"saved_entry": "1"})


def test_the_entries_of_a_generated_file() -> None:
    document = grub_cfg.parse(debian_12())
    first, advanced = document.entries
    assert (first.title, first.id, first.path) == ("Debian GNU/Linux", f"gnulinux-simple-{ROOT}", "0")
    assert first.classes == ("debian", "gnu-linux", "os")
    assert first.kernel is not None
    assert first.kernel.path == "/boot/vmlinuz-6.1.0-2-amd64"
    assert first.kernel.command_line == f"root=UUID={ROOT} ro console=hvc0 quiet"
    assert first.initrds == ("/boot/initrd.img-6.1.0-2-amd64",)
    assert first.roots == ("hd0,msdos1",)
    assert first.searches == (
        grub_cfg.Search("fs-uuid", ROOT, "root", ("hd0,msdos1", "hd0,msdos1")),
        grub_cfg.Search("fs-uuid", ROOT, "root", ()),
    )
    assert "part_msdos" in first.insmods
    assert not first.is_conditional
    assert advanced.is_submenu
    assert [child.path for child in advanced.children] == ["1>0", "1>1"]
    assert advanced.children[1].id_path == f"gnulinux-advanced-{ROOT}>gnulinux-6.1.0-1-amd64-advanced-{ROOT}"
    assert document.text.splitlines()[first.line - 1].startswith("menuentry 'Debian GNU/Linux'")
    assert {problem.kind for problem in document.unresolved} == {"source"}
    assert grub_cfg.assigned(document, "timeout") == ("30", "5", "5")
    assert grub_cfg.assigned(document, "default") == ("${next_entry}", "0")


def test_the_entries_of_grub_1_98() -> None:
    text = (
        'if [ -s $prefix/grubenv ]; then\n  load_env\nfi\nset default="0"\nif [ "${prev_saved_entry}" ]; then\n'
        '  set saved_entry="${prev_saved_entry}"\n  save_env saved_entry\n  set prev_saved_entry=\n'
        "  save_env prev_saved_entry\n  set boot_once=true\nfi\nset timeout=5\n"
        "menuentry 'Debian GNU/Linux, with Linux 2.6.32-5-xen-amd64' --class debian --class gnu-linux {\n"
        "\tinsmod part_msdos\n\tset root='(hd0,msdos1)'\n"
        f"\tsearch --no-floppy --fs-uuid --set {ROOT}\n"
        "\tlinux\t/boot/vmlinuz-2.6.32-5-xen-amd64 root=/dev/xvda1 ro  quiet\n"
        "\tinitrd\t/boot/initrd.img-2.6.32-5-xen-amd64\n}\n"
    )
    document = grub_cfg.parse(text)
    (only,) = document.entries
    assert only.id is None
    assert only.id_path == only.title
    assert only.searches == (grub_cfg.Search("fs-uuid", ROOT, "root", ()),)
    assert only.roots == ("(hd0,msdos1)",)
    assert document.unresolved == ()
    assert grub_cfg.default_entry(document) == only


def test_a_xen_host_entry_is_recognised_by_what_it_loads() -> None:
    text = (
        "menuentry 'Debian GNU/Linux, with Xen hypervisor' --id xen {\n"
        '        if [ "$grub_platform" = "pc" ]; then\n            xen_rm_opts=\n        else\n'
        '            xen_rm_opts="no-real-mode edd=off"\n        fi\n'
        "\tmultiboot2\t/boot/xen-4.17-amd64.gz placeholder  ${xen_rm_opts}\n"
        "\tmodule2\t/boot/vmlinuz-6.1 placeholder root=UUID=1 ro\n"
        "\tmodule2\t--nounzip   /boot/initrd.img-6.1\n}\n"
        "menuentry 'memtest' { multiboot /boot/memtest86+.elf }\n"
    )
    xen, memtest = grub_cfg.parse(text).entries
    assert xen.is_xen_hypervisor
    assert xen.kernel is None
    assert xen.hypervisor is not None
    assert xen.hypervisor.command_line == "placeholder ${xen_rm_opts}"
    assert [module.path for module in xen.modules] == ["/boot/vmlinuz-6.1", "/boot/initrd.img-6.1"]
    assert not memtest.is_xen_hypervisor


def test_quotes_escapes_and_continued_lines_are_read_as_grub_reads_them() -> None:
    text = (
        'menuentry "It\'s \\"here\\"" --id=a\\ b { linux /vmlinuz \'dyndbg=file a +p\' \\\n   two\\\nhalves # comment\n'
        "initrd /one /two; chainloader +1\r\n}"
    )
    (only,) = grub_cfg.parse(text).entries
    assert only.title == 'It\'s "here"'
    assert only.id == "a b"
    assert only.kernel is not None
    assert only.kernel.command_line == '"dyndbg=file a +p" twohalves'
    assert only.initrds == ("/one", "/two")
    assert only.chainloaders == ("+1",)


@pytest.mark.parametrize(
    ("default", "title"),
    [
        ("0", "Debian GNU/Linux"),
        ("1", "Debian, with Linux 6.1.0-2-amd64"),
        ("1>1", "Debian, with Linux 6.1.0-1-amd64"),
        ("1>7", "Debian, with Linux 6.1.0-2-amd64"),
        ("7", "Debian GNU/Linux"),
        ("", "Debian GNU/Linux"),
        ("no such entry", "Debian GNU/Linux"),
        ("Debian GNU/Linux", "Debian GNU/Linux"),
        ("Advanced options for Debian GNU/Linux>Debian, with Linux 6.1.0-1-amd64", "Debian, with Linux 6.1.0-1-amd64"),
        (
            f"gnulinux-advanced-{ROOT}>gnulinux-6.1.0-1-amd64-advanced-{ROOT}",
            "Debian, with Linux 6.1.0-1-amd64",
        ),
        (f"gnulinux-6.1.0-1-amd64-advanced-{ROOT}", "Debian GNU/Linux"),
        ("0x1>01", "Debian, with Linux 6.1.0-1-amd64"),
    ],
)
def test_the_default_follows_grubs_rules(default: str, title: str) -> None:
    assert selected(debian_12(default)) == title


def test_a_title_that_begins_with_a_digit_is_an_index_to_grub() -> None:
    titles = ("zero", "one", "1 second")
    text = "set default='1 second'\n" + "".join(f"menuentry '{title}' {{ true; }}\n" for title in titles)
    assert selected(text) == "one"


def test_a_doubled_separator_stands_for_one_in_a_title() -> None:
    text = (
        "set default='a>>b>c'\nmenuentry x { true; }\nsubmenu 'a>b' { menuentry y { true; }\n menuentry c { true; } }\n"
    )
    assert selected(text) == "c"


def test_saved_and_next_entry_come_from_the_environment_block() -> None:
    text = debian_12("${saved_entry}")
    assert selected(text) == "Debian GNU/Linux"
    assert selected(text, grubenv={"saved_entry": "1>1"}) == "Debian, with Linux 6.1.0-1-amd64"
    assert selected(text, grubenv={"saved_entry": "0", "next_entry": "1>1"}) == "Debian, with Linux 6.1.0-1-amd64"


def test_a_custom_file_that_exists_is_not_guessed_at() -> None:
    document = grub_cfg.parse(debian_12())
    assert grub_cfg.find_default(document).problem == ""
    selection = grub_cfg.find_default(document, files={"custom.cfg"})
    assert selection.entry is None
    assert "custom.cfg" in selection.problem


def test_an_entry_under_a_condition_makes_later_indices_uncertain() -> None:
    text = (
        "set default=1\nif [ \"$grub_platform\" = efi ]; then\nmenuentry 'Firmware' { fwsetup; }\nfi\n"
        "menuentry 'first' { true; }\nmenuentry 'second' { true; }\n"
    )
    document = grub_cfg.parse(text)
    assert [found.title for found in document.entries if found.is_conditional] == ["Firmware"]
    assert grub_cfg.find_default(document).entry is None
    assert "Firmware" in grub_cfg.find_default(document).problem
    assert selected(text, variables={"grub_platform": "pc"}) == "second"
    assert selected(text, variables={"grub_platform": "efi"}) == "first"
    assert selected(text.replace("default=1", "default=second")) == "second"


@pytest.mark.parametrize(
    "script",
    [
        "if loadfont x; then set default=1; fi",
        'for i in a b; do if [ "$x" = 1 ]; then set default=1; fi; x=1; done',
        "function f {\nset default=1\n}\nf",
        "function g {\nset default=1\n}\nfunction f {\ng\n}\nf",
        "search --set=default --label x",
        "blscfg",
        "load_env --file /x",
        "set default=$1",
        "$cmd",
    ],
)
def test_a_default_that_cannot_be_known_is_not_guessed(script: str) -> None:
    text = f"set default=0\n{script}\nmenuentry a {{ true; }}\nmenuentry b {{ true; }}\n"
    if script == "$cmd":
        text = "if loadfont x; then set cmd=blscfg; fi\n" + text
    selection = grub_cfg.find_default(grub_cfg.parse(text))
    assert selection.entry is None
    assert selection.problem


@pytest.mark.parametrize(
    "text", ["menuentry a {", "menuentry 'a {\n}", "fi\n", "menuentry a { if x; then y; }\n", "echo $\n"]
)
def test_what_grub_would_not_accept_is_reported(text: str) -> None:
    document = grub_cfg.parse(text)
    assert "syntax" in [problem.kind for problem in document.unresolved]
    assert grub_cfg.default_entry(document) is None


def test_a_variable_in_a_command_line_is_reported_and_kept() -> None:
    text = "menuentry a { linux /vmlinuz ro $vt_handoff quiet\n }\n"
    document = grub_cfg.parse(text)
    assert [problem.kind for problem in document.unresolved] == ["variable"]
    (only,) = document.entries
    assert only.kernel is not None
    assert only.kernel.command_line == "ro $vt_handoff quiet"
    changed = grub_cfg.with_cmdline(document, only, "ro $vt_handoff")
    assert changed.text == "menuentry a { linux /vmlinuz ro $vt_handoff\n }\n"


def test_an_argument_between_two_that_change_keeps_its_bytes() -> None:
    document = grub_cfg.parse('menuentry a { linux /vmlinuz one  $vt_handoff "two" \n }\n')
    changed = grub_cfg.with_cmdline(document, document.entries[0], "1 $vt_handoff two 3")
    assert changed.text == 'menuentry a { linux /vmlinuz 1 $vt_handoff "two" 3 \n }\n'


def test_a_command_in_quotes_is_the_same_command() -> None:
    text = "\"set\" default=1\nmenu'entry' a { true; }\nmenuentry b { 'linux' /v ro\n}\nmenuentry c\n"
    document = grub_cfg.parse(text)
    assert [found.title for found in document.entries] == ["a", "b"]
    assert document.entries[1].kernel is not None
    assert selected(text) == "b"


def test_only_the_arguments_that_change_are_touched() -> None:
    text = (
        "menuentry a {\n\tlinux\t/vmlinuz\troot='/dev/xvda1'  ro \"x=a b\"   console=hvc0 quiet # why\n\tinitrd /i\n}\n"
    )
    document = grub_cfg.parse(text)
    (only,) = document.entries
    changed = grub_cfg.with_cmdline(
        document, only, 'root=/dev/xvda1 ro "x=a b" console=tty0 console=ttyS0,115200n8 quiet'
    )
    assert changed.text == text.replace("   console=hvc0", " console=tty0 console=ttyS0,115200n8")
    assert grub_cfg.with_cmdline(document, only, 'root=/dev/xvda1 ro "x=a b" console=hvc0 quiet') is document
    assert grub_cfg.with_cmdline(document, only, "").text == "menuentry a {\n\tlinux\t/vmlinuz # why\n\tinitrd /i\n}\n"


def test_what_grub_cannot_pass_on_is_refused() -> None:
    document = grub_cfg.parse("menuentry a { linux /vmlinuz ro\n }\nmenuentry b { halt; }\n")
    first, second = document.entries
    for bad in (r"a=\x2d", "a='b'", 'x=a"b"c'):
        with pytest.raises(_errors.GuestError, match="unchanged"):
            grub_cfg.with_cmdline(document, first, bad)
    with pytest.raises(_errors.GuestError, match="no Linux kernel"):
        grub_cfg.with_cmdline(document, second, "ro")
    with pytest.raises(_errors.GuestError, match="not of this"):
        grub_cfg.with_cmdline(grub_cfg.parse("menuentry c { linux /x\n }\n"), first, "ro")


words = st.from_regex(r"""[a-zA-Z_.]{1,6}(=([a-zA-Z0-9/,;${}&|<>#* ()é]|-){0,8})?""", fullmatch=True)
command_lines = st.lists(words, max_size=5).map(
    lambda found: " ".join(word.replace("=", '="') + '"' if " " in word else word for word in found)
)


@given(command_lines, command_lines)
def test_the_kernel_gets_what_was_asked_for(first: str, second: str) -> None:
    document = grub_cfg.parse("submenu s {\nmenuentry a {\nlinux /vmlinuz\ninitrd /i\n}\n}\n")
    for wanted in (first, second):
        changed = grub_cfg.with_cmdline(document, document.entries[0].children[0], wanted)
        (found,) = changed.entries[0].children
        assert found.kernel is not None
        assert found.initrds == ("/i",)
        given_arguments = kernel_cmdline.parse(found.kernel.command_line).arguments
        assert [argument.plain for argument in given_arguments] == [
            argument.plain for argument in kernel_cmdline.parse(wanted).arguments
        ]
        assert grub_cfg.with_cmdline(changed, found, wanted).text == changed.text
        document = changed


@pytest.mark.skipif(shutil.which("grub-script-check") is None, reason="grub-script-check is not installed")
@pytest.mark.parametrize("wanted", ["ro", 'dyndbg="file a +p" x={a,b}', "a=$b;c", "x=# y=&|<>", ""])
def test_grub_accepts_the_edited_script(wanted: str) -> None:
    document = grub_cfg.parse(debian_12())
    text = grub_cfg.with_cmdline(document, document.entries[0], wanted).text
    subprocess.run(["grub-script-check"], input=text.encode(), check=True)


@pytest.mark.skipif(shutil.which("grub-script-check") is None, reason="grub-script-check is not installed")
@pytest.mark.parametrize(
    "text",
    [
        "fi\n",
        "a {\nb\n}\n",
        "if a; then b; fi c\n",
        "a 'b\nc'\n",
        "}\n",
        "echo a|b\n",
        "echo $\n",
        "a\\\nb\n",
        "x{ b; }\n",
        "if a\nthen b\nfi\n",
        "while a; do b; done\n",
        "for i in a b; do c; done\n",
        "function f\n{\na\n}\nb\n",
        "else\n",
        "a {\n",
        'a "b\n',
        "if a; then b\n",
    ],
)
def test_grub_and_the_parser_agree_on_what_is_a_script(text: str) -> None:
    accepted = (
        subprocess.run(["grub-script-check"], input=text.encode(), capture_output=True, check=False).returncode == 0
    )
    assert accepted == ("syntax" not in [problem.kind for problem in grub_cfg.parse(text).unresolved])


@pytest.mark.parametrize(
    "text",
    [
        "{" * 250_000,
        "menuentry a {\n" * 18_000,
        "if a; then\n" * 22_000,
        "menuentry a { linux /v ro\n}\n" * 8_000,
        "'" * 250_001,
        '"' * 250_001,
        "\\" * 250_001,
        "$" * 250_000,
        "a" * 250_000,
        "# x\n" * 60_000,
        "if a; then set b=c; fi\n" * 10_000,
        "function f {\nf\n}\nf\n" * 12_000,
    ],
)
def test_a_hostile_text_takes_bounded_time(text: str) -> None:
    started = time.process_time()
    document = grub_cfg.parse(text)
    grub_cfg.find_default(document)
    assert document.text == text
    assert time.process_time() - started < 1.5
