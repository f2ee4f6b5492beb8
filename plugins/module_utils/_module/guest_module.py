# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where Ansible and the collection meet: arguments, check and diff mode, errors and results, for every module alike.

On a running guest the sources of a module are compiled at every call. Half of them are only needed for some calls, and
are imported where they are used; docs/decisions/0004 has the figures.
"""

from __future__ import annotations

import contextlib
import dataclasses
import typing as t
from string import ascii_lowercase

from ansible.module_utils.basic import AnsibleModule

from .._errors import GuestError
from .._facts.gather import ImageDisk, gather
from .._facts.model import BlockDevice, Problem
from .._root import Root

if t.TYPE_CHECKING:
    from .._facts.model import GuestFacts
    from .._image.guest import GuestDisk
    from .._image.volumes import Layout
    from .._plan.model import Change, Plan

ARGUMENTS: dict[str, t.Any] = {
    "root": {"type": "path", "default": "/"},
    "image": {"type": "path"},
    "other_images": {"type": "list", "elements": "path", "default": []},
    "root_device": {"type": "str"},
    "backend": {"type": "str", "choices": ["auto", "loop", "libguestfs"], "default": "auto"},
    "keys": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "no_log": False,  # but for the passphrases
        "options": {
            "device": {"type": "str", "default": "all"},
            "key": {"type": "str", "no_log": True},
            "file": {"type": "path"},
        },
        "mutually_exclusive": [("key", "file")],
        "required_one_of": [("key", "file")],
    },
}

Arguments = t.Mapping[str, t.Any]


def run_info(
    argument_spec: dict[str, t.Any],
    report: t.Callable[[GuestFacts, Arguments], dict[str, t.Any]],
    parts: t.Callable[[Arguments], t.AbstractSet[str]],
) -> None:
    """A module that only reads: its result is what C(report) makes of the facts."""
    module = new_module(argument_spec)
    with ending_errors(module), opened_guest(module, writable=False) as look:
        result = report(look(parts(module.params)), module.params)
    module.exit_json(changed=False, **clean(result))


def run(
    argument_spec: dict[str, t.Any],
    planner: t.Callable[[GuestFacts, Arguments], Plan],
    parts: t.AbstractSet[str],
    judge: t.Callable[[GuestFacts, Arguments], dict[str, t.Any]] | None = None,
) -> None:
    """A module that changes: gather, plan, apply, and the same gather and plan once more, which must come out empty.
    After a plan that goes on they may come out as another one, which is carried out as well.

    What C(judge) makes of the facts before and after is part of the result.
    """
    module = new_module(argument_spec)
    judged: dict[str, t.Any] = {}
    with ending_errors(module), opened_guest(module, writable=not module.check_mode) as look:
        facts = look(parts)
        plan = planner(facts, module.params)
        plans = [plan]
        left = plan
        if judge is not None:
            judged["before"] = judged["after"] = judge(facts, module.params)
        while left and not module.check_mode:
            from .._apply.plan import apply
            from .._apply.runners import runner_for

            apply(look.root, left, runner_for(look.root))
            facts = look(parts)
            left = planner(facts, module.params)
            if judge is not None:
                judged["after"] = judge(facts, module.params)
            if left and (left in plans or not plans[-1].goes_on):
                steps = [step.report() for step in (*left.changes, *left.programs)]
                raise GuestError(
                    f"the guest is still not as asked for after the changes: {steps[0]}",
                    hint="This is a defect of the collection, or something else changes the guest at the same time.",
                )
            if left:
                plans.append(left)
    changes = [change for plan in plans for change in plan.changes]
    programs = [program for plan in plans for program in plan.programs]
    result: dict[str, t.Any] = {
        "changed": bool(plans[0]),
        "changes": [change.report() for change in changes],
        "commands": [program.report() for program in programs],
        "findings": [finding.report() for finding in left.findings],
        **judged,
    }
    if module._diff:
        result["diff"] = [difference(change) for change in changes] + [
            {"prepared": f"{program.report()['command']}\n"} for program in programs
        ]
    module.exit_json(**clean(result))


def difference(change: Change) -> dict[str, str]:
    """As the change says it, without the secrets that a profile of NetworkManager may hold."""
    shown = change.diff()
    if change.path.startswith("/etc/NetworkManager/"):
        from .._formats import network_manager

        for side in ("before", "after"):
            hidden = network_manager.with_secrets_hidden(network_manager.parse(shown[side]))
            shown[side] = network_manager.render(hidden)
    return shown


class Look:
    """Gathers the facts of one guest; each call looks anew."""

    def __init__(self, root: Root, disk: ImageDisk | None = None) -> None:
        self.root = root
        self.disk = disk

    def __call__(self, parts: t.AbstractSet[str]) -> GuestFacts:
        return gather(self.root, parts, self.disk)


def new_module(argument_spec: dict[str, t.Any]) -> AnsibleModule:
    """With these arguments, and those that every module has."""
    return AnsibleModule(dict(ARGUMENTS, **argument_spec), supports_check_mode=True)


@contextlib.contextmanager
def opened_guest(module: AnsibleModule, *, writable: bool) -> t.Iterator[Look]:
    """What gathers the facts of the guest that the arguments name."""
    image = module.params["image"]
    if image is None:
        yield Look(Root(module.params["root"]))
        return
    if len(module.params["other_images"]) >= len(ascii_lowercase):
        raise GuestError(f"a guest has at most {len(ascii_lowercase)} disks here")
    if module.params["root"] != "/":
        raise GuestError("root and image exclude each other: a guest is either mounted already, or in an image")
    from .._image.guest import open_guest
    from .._image.keys import Key, read_key_file

    keys = [
        read_key_file(given["device"], given["file"]) if given["key"] is None else Key(given["device"], given["key"])
        for given in module.params["keys"]
    ]
    with open_guest(
        image, backend=module.params["backend"], writable=writable, root_device=module.params["root_device"], keys=keys
    ) as disk:
        yield Look(Root(disk.mount_point), _shown_by(disk, [image, *module.params["other_images"]]))


def _shown_by(disk: GuestDisk, images: t.Sequence[str]) -> ImageDisk:
    """What the guest's disks show by themselves, in their order, whatever a hypervisor calls them."""
    from .._image.disk import read_disk

    shown = [read_disk(image) for image in images]
    return ImageDisk(
        devices=tuple(
            [device for one, letter in zip(shown, ascii_lowercase) for device in _devices(one.layout, letter)]
        ),
        has_boot_code=shown[0].has_boot_code,
        has_esp=disk.table is not None and any(partition.is_esp for partition in disk.table.partitions),
        problems=tuple([Problem(images[0], text) for text in disk.problems]),
    )


def _devices(layout: Layout, letter: str) -> t.Iterator[BlockDevice]:
    for volume in layout.volumes:
        if volume.group is not None:
            continue
        # a file system without partitions is what XenServer attaches to a paravirtualized guest as xvda1
        numbers = ("", "1") if volume.number is None else (str(volume.number),)
        names = tuple([f"{prefix}{letter}{number}" for prefix in ("xvd", "sd", "hd", "vd") for number in numbers])
        yield BlockDevice(names, volume.file_system, volume.partuuid)


@contextlib.contextmanager
def ending_errors(module: AnsibleModule) -> t.Iterator[None]:
    """A GuestError ends the module, with what happened, where, and what to do."""
    problem: GuestError | None = None
    try:
        yield
    except GuestError as error:
        problem = error
    if problem is not None:
        message = problem.message if not problem.hint else f"{problem.message}. {problem.hint}"
        module.fail_json(msg=clean(message), **clean(problem.details()))


def clean(value: t.Any) -> t.Any:
    """The same as JSON can hold it: ansible-core 2.19 refuses a result with lone surrogates, after all was written."""
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: clean(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, t.Mapping):
        return {clean(key): clean(item) for key, item in value.items()}
    if isinstance(value, (frozenset, set)):
        return sorted(clean(item) for item in value)
    if isinstance(value, (list, tuple)):
        return [clean(item) for item in value]
    return value
