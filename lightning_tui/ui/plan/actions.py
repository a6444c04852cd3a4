"""What changes the plan, on the screen: its windows, what is recommended, saved, measured and written out."""

from __future__ import annotations

import functools
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from lightning_tui.ui.messages import ChoicesKnown, PlanExported, PlansListed, ProgramFound, Recommended
from lightning_tui.ui.plan.judging import Judging
from lightning_tui.ui.plan.words import script_value
from lightning_tui.ui.programs import choose

if TYPE_CHECKING:
    from lightning_tui.plan.model import Plan
    from lightning_tui.services.cases import Export
    from lightning_tui.ui.messages import Takes
    from lightning_tui.ui.options import CockpitOptions
    from lightning_tui.ui.orders import Orders
    from lightning_tui.ui.plan.saved_window import PlanAnswer, PlansWindow
    from lightning_tui.ui.port import Port


class Planning:
    """Edits the plan of a cockpit's view. Its methods and the answers to its orders run on the event loop."""

    def __init__(self, port: Port, options: CockpitOptions, orders: Orders) -> None:
        self._port = port
        self._options = options
        self._orders = orders
        self.judging = Judging(port, orders, self.type_program)
        self._plans_window: PlansWindow | None = None

    def takes(self) -> Takes:
        """Each report, and what takes it."""
        return {
            ProgramFound: self._program_found,
            ChoicesKnown: self._choices_known,
            Recommended: self._recommended,
            PlansListed: self._plans_listed,
            PlanExported: self._plan_exported,
            **self.judging.takes(),
        }

    def open(self, window: str, field: str) -> None:
        """Open one of the plan's windows: `fields`, `recommended`, `saved`, `command`."""
        if window == "fields":
            self.show_all_fields(field)
        elif window == "recommended":
            self._show_recommended()
        elif window == "saved":
            self.show_plans()
        else:
            self.show_command()

    # ------------------------------------------------------------------------------------------------ one field

    def edit(self, field: str) -> None:
        """Open the editor of a field."""
        from lightning_tui.ui.plan.field_window import has_choices
        from lightning_tui.ui.plan.pane import ALL_FIELDS, FITS, PROGRAM

        if field == PROGRAM:
            self.type_program()
        elif field == ALL_FIELDS:
            self.show_all_fields()
        elif field == FITS:
            self.judging.show_memory()
        elif has_choices(field):
            self._choose(field)
        else:
            self._type_field(field)

    def show_all_fields(self, start: str = "") -> None:
        """Open the list of all fields."""
        from lightning_tui.ui.plan.fields_window import fields_window

        window = fields_window(self._port.view.plan, self._script, start)
        self._port.open(window, lambda name: self.edit(name) if name is not None else None)

    def _choose(self, field: str) -> None:
        """Open the window at once, so that it takes the keys that follow; what is in it comes from a thread."""
        from lightning_tui.ui.plan.field_window import ChoiceWindow
        from lightning_tui.ui.windows.window import WIDEST

        width = min(WIDEST, self._port.width - 2) - 6
        window = ChoiceWindow(field, getattr(self._port.view.plan, field), self._script(field), width)
        self._port.open(window, lambda answer: self._take_choice(field, answer))
        self._orders.find_choices(field, self.judging.case)

    def _choices_known(self, event: ChoicesKnown) -> None:
        """Show them in the window that waits for them, or in which they stand already, where it is still open."""
        from lightning_tui.ui.plan.field_window import ChoiceWindow

        screen = self._port.window
        if isinstance(screen, ChoiceWindow) and screen.field == event.field:
            screen.take_choices(event.found)

    def _take_choice(self, field: str, answer: str | None) -> None:
        from lightning_tui.ui.plan.field_window import OTHER

        if answer == OTHER:
            self._type_field(field)
        else:
            self._take_text(field, answer)

    def _type_field(self, field: str) -> None:
        from lightning_tui.plan.fields import FIELD_TEXTS
        from lightning_tui.ui.plan.field_window import written
        from lightning_tui.ui.plan.fields_window import help_lines
        from lightning_tui.ui.windows.field import FieldWindow

        plan, script = self._port.view.plan, self._script(field)
        unset = f" ({written(script)})" if script is not None else ""
        text = FIELD_TEXTS[field]
        lines = (*help_lines(field), f"Leave empty for the value of the script{unset}.")
        check = functools.partial(plan.with_field, field)
        window = FieldWindow(f"{text.label} · {field}", written(getattr(plan, field)), "\n".join(lines), check)
        self._port.open(window, lambda typed: self._take_text(field, typed))

    def _take_text(self, field: str, text: str | None) -> None:
        if text is not None:
            self.take_plan(self._port.view.plan.with_field(field, text))

    def take_plan(self, plan: Plan) -> None:
        """Let this be the plan."""
        self._port.change(plan=plan)

    def _script(self, field: str) -> object:
        return script_value(self._port.view, field)

    # -------------------------------------------------------------------------------------------------- program

    def type_program(self) -> None:
        """Ask for the program."""
        from lightning_tui.ui.windows.field import FieldWindow

        known = self._port.view.program
        explanation = "What you would type after python: train.py --lr 3e-4, or -m package.train, a command, or demo."
        window = FieldWindow("Program", shlex.join(known.given if known else ()), explanation, _split_program)
        self._port.open(window, self._take_program)

    def _take_program(self, text: str | None) -> None:
        if text is not None:
            known = self._port.view.program
            program = choose(self._options, tuple(shlex.split(text)), known.folder if known is not None else None)
            if not self._port.view.is_active:
                self._port.detach()  # a run that is over leaves the screen
            self._port.change(program=program)

    def find_program(self) -> None:
        """Ask which program to offer, where none was named."""
        if self._port.view.program is None:
            self._orders.find_program()

    def _program_found(self, event: ProgramFound) -> None:
        if event.given and self._port.view.program is None and self._port.directory is None:
            self._port.change(program=choose(self._options, event.given))

    # ------------------------------------------------------------------------------------- recommended and saved

    def _show_recommended(self) -> None:
        from lightning_tui.ui.plan.recommended_window import RecommendedWindow

        self._port.open(RecommendedWindow(self._port.view.plan), self._take_recommended)
        self._orders.recommend(self.judging.case)

    def _recommended(self, event: Recommended) -> None:
        """Show it in the window that waits for it, where it is still open."""
        from lightning_tui.ui.plan.recommended_window import RecommendedWindow

        screen = self._port.window
        if isinstance(screen, RecommendedWindow):
            screen.take_recommendation(event.recommendation)

    def _take_recommended(self, changes: dict[str, object] | None) -> None:
        if changes:
            self.take_plan(msgspec.structs.replace(self._port.view.plan, **changes))

    def show_plans(self) -> None:
        """Open the window of plans by name."""
        from lightning_tui.ui.plan.saved_window import PlansWindow

        def delete(name: str) -> None:
            self._orders.delete_plan(self.judging.case, name)

        self._plans_window = PlansWindow(self._port.view.plan, delete, self._port.view.now)
        self._port.open(self._plans_window, self._take_named_plan)
        self._orders.list_plans(self.judging.case)

    def _plans_listed(self, event: PlansListed) -> None:
        if self._plans_window is not None and self._plans_window.is_attached:
            self._plans_window.take_plans(event.plans)

    def _take_named_plan(self, answer: PlanAnswer | None) -> None:
        from lightning_tui.ui.plan.saved_window import SAVE

        self._plans_window = None
        if answer == SAVE:
            self._type_plan_name()
        elif answer is not None and answer.plan is not None:
            self.take_plan(answer.plan)
            self._port.notice(f"plan: {answer.name}")

    def _type_plan_name(self) -> None:
        from lightning_tui.plan.saved import checked_name
        from lightning_tui.ui.windows.field import FieldWindow

        explanation = (
            "A name for this plan. A plan of the same name is replaced; programs in the same folder share saved plans."
        )
        window = FieldWindow("Save the plan as", "", explanation, checked_name)
        self._port.open(window, lambda name: self._orders.save_plan(self.judging.case, name) if name else None)

    # -------------------------------------------------------------------------------------------------- exports

    def show_command(self) -> None:
        """Ask for the plan in its forms."""
        if self._port.view.program is None:
            self._port.notice("no program is chosen yet")
        else:
            self._orders.export(self.judging.case)

    def _plan_exported(self, event: PlanExported) -> None:
        from lightning_tui.ui.plan.export_window import ExportWindow

        self._port.open(ExportWindow(event.exports, self._copied, self._type_file))

    def _copied(self, export: Export) -> None:
        from lightning_tui.record.masking import MASK

        masked = "; its secrets are masked" if MASK in export.text else ""
        self._port.notice(f"{export.title} copied, if the terminal supports OSC 52{masked}")

    def _type_file(self, export: Export) -> None:
        from lightning_tui.ui.windows.field import FieldWindow

        folder = self._port.view.program.folder if self._port.view.program is not None else Path.cwd()
        explanation = f"A new file; a relative path starts at {folder}. Existing files are not overwritten."

        def write(name: str | None) -> None:
            if name:
                self._orders.write(folder / Path(name).expanduser(), export.text)

        window = FieldWindow(f"Write {export.title} to", export.file_name, explanation, _checked_file)
        self._port.open(window, write)


def _split_program(text: str) -> list[str]:
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise ValueError(f"The quotes do not match: {error}.") from error
    if not words:
        raise ValueError("Type a program, for example train.py, or demo.")
    return words


def _checked_file(name: str) -> str:
    if not name.strip():
        raise ValueError("Type the name of a file.")
    return name
