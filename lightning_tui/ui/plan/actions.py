"""What changes the plan, on the screen: its windows, what is recommended, saved, measured and written out."""

from __future__ import annotations

import functools
import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from lightning_tui.services.cases import Judgement, PlanCase
from lightning_tui.ui.cockpit.opening import choose
from lightning_tui.ui.plan.words import script_value

if TYPE_CHECKING:
    from lightning_tui.plan.model import Plan
    from lightning_tui.plan.recommended import Recommendation
    from lightning_tui.plan.saved import SavedPlan
    from lightning_tui.services.cases import Export, FieldChoices
    from lightning_tui.ui.cockpit.screen import CockpitScreen
    from lightning_tui.ui.options import CockpitOptions
    from lightning_tui.ui.orders import Orders
    from lightning_tui.ui.plan.memory_windows import MeasuringWindow
    from lightning_tui.ui.plan.saved_window import PlanAnswer, PlansWindow


class Planning:
    """Edits the plan of a cockpit's view. Its methods and the answers to its orders run on the event loop."""

    def __init__(self, screen: CockpitScreen, options: CockpitOptions, orders: Orders) -> None:
        self._screen = screen
        self._options = options
        self._orders = orders
        self._judged_case: PlanCase | None = None
        self._number = 0
        self._may_measure: set[tuple[tuple[str, ...], Path]] = set()
        """Programs that may be run up to their fit: asked once each."""
        self._measuring: MeasuringWindow | None = None
        self._plans_window: PlansWindow | None = None

    @property
    def case(self) -> PlanCase:
        """The plan as it stands, and what it is for."""
        view = self._screen.view
        return PlanCase(view.plan, view.program, view.environment)

    def look(self) -> None:
        """Ask anew what is known of the plan, where it or what it is for has changed."""
        case = self.case
        if case == self._judged_case or case.environment is None:
            return
        self._judged_case = case
        self._number += 1
        self._orders.judge(self._number, case)

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
            self.show_memory()
        elif has_choices(field):
            self._choose(field)
        else:
            self._type_field(field)

    def show_all_fields(self, start: str = "") -> None:
        """Open the list of all fields."""
        from lightning_tui.ui.plan.fields_window import fields_window

        window = fields_window(self._screen.view.plan, self._script, start)
        self._screen.app.push_screen(window, lambda name: self.edit(name) if name is not None else None)

    def _choose(self, field: str) -> None:
        """Open the window at once, so that it takes the keys that follow; what is in it comes from a thread."""
        from lightning_tui.ui.plan.field_window import ChoiceWindow
        from lightning_tui.ui.windows.window import WIDEST

        width = min(WIDEST, self._screen.app.size.width - 2) - 6
        window = ChoiceWindow(field, getattr(self._screen.view.plan, field), self._script(field), width)
        self._screen.app.push_screen(window, lambda answer: self._take_choice(field, answer))
        self._orders.find_choices(field, self.case)

    def take_choices(self, field: str, found: FieldChoices) -> None:
        """Show them in the window that waits for them, or in which they stand already, where it is still open."""
        from lightning_tui.ui.plan.field_window import ChoiceWindow

        screen = self._screen.app.screen
        if isinstance(screen, ChoiceWindow) and screen.field == field:
            screen.take_choices(found)

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

        plan, script = self._screen.view.plan, self._script(field)
        unset = f" ({written(script)})" if script is not None else ""
        text = FIELD_TEXTS[field]
        lines = (*help_lines(field), f"Empty: as the script says{unset}.")
        check = functools.partial(plan.with_field, field)
        window = FieldWindow(f"{text.label} · {field}", written(getattr(plan, field)), "\n".join(lines), check)
        self._screen.app.push_screen(window, lambda typed: self._take_text(field, typed))

    def _take_text(self, field: str, text: str | None) -> None:
        if text is not None:
            self.take_plan(self._screen.view.plan.with_field(field, text))

    def take_plan(self, plan: Plan) -> None:
        """Let this be the plan."""
        self._screen.change(plan=plan)

    def _script(self, field: str) -> object:
        return script_value(self._screen.view, field)

    # -------------------------------------------------------------------------------------------------- program

    def type_program(self) -> None:
        """Ask for the program."""
        from lightning_tui.ui.windows.field import FieldWindow

        known = self._screen.view.program
        explanation = "What you would type after python: train.py --lr 3e-4, or -m package.train, a command, or demo."
        window = FieldWindow("Program", shlex.join(known.given if known else ()), explanation, _split_program)
        self._screen.app.push_screen(window, self._take_program)

    def _take_program(self, text: str | None) -> None:
        if text is not None:
            known = self._screen.view.program
            program = choose(self._options, tuple(shlex.split(text)), known.folder if known is not None else None)
            self._screen.take_program(program)

    # ------------------------------------------------------------------------------------- recommended and saved

    def _show_recommended(self) -> None:
        from lightning_tui.ui.plan.recommended_window import RecommendedWindow

        self._screen.app.push_screen(RecommendedWindow(self._screen.view.plan), self._take_recommended)
        self._orders.recommend(self.case)

    def take_recommendation(self, found: Recommendation) -> None:
        """Show it in the window that waits for it, where it is still open."""
        from lightning_tui.ui.plan.recommended_window import RecommendedWindow

        screen = self._screen.app.screen
        if isinstance(screen, RecommendedWindow):
            screen.take_recommendation(found)

    def _take_recommended(self, changes: dict[str, object] | None) -> None:
        if changes:
            self.take_plan(msgspec.structs.replace(self._screen.view.plan, **changes))

    def show_plans(self) -> None:
        """Open the window of plans by name."""
        from lightning_tui.ui.plan.saved_window import PlansWindow

        def delete(name: str) -> None:
            self._orders.delete_plan(self.case, name)

        self._plans_window = PlansWindow(self._screen.view.plan, delete, self._screen.view.now)
        self._screen.app.push_screen(self._plans_window, self._take_named_plan)
        self._orders.list_plans(self.case)

    def take_plans(self, plans: Sequence[SavedPlan]) -> None:
        """The saved plans have been read."""
        if self._plans_window is not None and self._plans_window.is_attached:
            self._plans_window.take_plans(plans)

    def _take_named_plan(self, answer: PlanAnswer | None) -> None:
        from lightning_tui.ui.plan.saved_window import SAVE

        self._plans_window = None
        if answer == SAVE:
            self._type_plan_name()
        elif answer is not None and answer.plan is not None:
            self.take_plan(answer.plan)
            self._screen.notice(f"plan: {answer.name}")

    def _type_plan_name(self) -> None:
        from lightning_tui.plan.saved import checked_name
        from lightning_tui.ui.windows.field import FieldWindow

        explanation = "A name for this plan. One of the same name is replaced; programs in the same folder share them."
        window = FieldWindow("Save the plan as", "", explanation, checked_name)
        self._screen.app.push_screen(window, lambda name: self._orders.save_plan(self.case, name) if name else None)

    # -------------------------------------------------------------------------------------------------- exports

    def show_command(self) -> None:
        """Ask for the plan in its forms."""
        if self._screen.view.program is None:
            self._screen.notice("no program is chosen yet")
        else:
            self._orders.export(self.case)

    def take_exports(self, exports: Sequence[Export]) -> None:
        """Show them."""
        from lightning_tui.ui.plan.export_window import ExportWindow

        self._screen.app.push_screen(ExportWindow(exports, self._copied, self._type_file))

    def _copied(self, export: Export) -> None:
        from lightning_tui.record.masking import MASK

        masked = "; its secrets are masked" if MASK in export.text else ""
        self._screen.notice(f"{export.title} copied, where the terminal takes it (OSC 52){masked}")

    def _type_file(self, export: Export) -> None:
        from lightning_tui.ui.windows.field import FieldWindow

        folder = self._screen.view.program.folder if self._screen.view.program is not None else Path.cwd()
        explanation = f"A new file, from {folder} where the path is relative. Nothing is overwritten."

        def write(name: str | None) -> None:
            if name:
                self._orders.write(folder / Path(name).expanduser(), export.text)

        window = FieldWindow(f"Write {export.title} to", export.file_name, explanation, _checked_file)
        self._screen.app.push_screen(window, write)

    # --------------------------------------------------------------------------------------------------- memory

    def take_judgement(self, number: int, judgement: Judgement, is_measured: bool) -> None:
        """What is known of the plan; stale where it has changed since."""
        if is_measured:
            self._end_measuring()
        if number == self._number:
            self._screen.change(judgement=judgement)
        if is_measured:
            self._judged_case = None if number != self._number else self._judged_case
            self.look()
            if number == self._number and judgement.memory is not None:
                self.show_memory()

    def show_memory(self) -> None:
        """Tell what is known of the memory; where that is nothing, measure, after asking once for each program."""
        from lightning_tui.ui.plan.memory_windows import memory_window

        view = self._screen.view
        if view.judgement is not None and view.judgement.memory is not None:
            window = memory_window(view.judgement.memory, view.label or "")
            self._screen.app.push_screen(window, self._take_changes)
        elif view.program is None:
            self.type_program()
        elif view.is_active:
            self._screen.notice("a run is going on: measure its memory when it has ended", "warn")
        else:
            self._ask_to_measure()

    def _take_changes(self, changes: dict[str, object] | None) -> None:
        """What was chosen to save memory; nothing at all means: measure again."""
        if changes:
            self.take_plan(msgspec.structs.replace(self._screen.view.plan, **changes))
        elif changes is not None:
            self._ask_to_measure()

    def _ask_to_measure(self) -> None:
        from lightning_tui.ui.plan.memory_windows import ask_window

        program = self._screen.view.program
        if program is None:
            return
        key = (program.given, program.folder)

        def take(answer: bool | None) -> None:
            if answer:
                self._may_measure.add(key)
                self._measure()

        if key in self._may_measure:
            self._measure()
        else:
            self._screen.app.push_screen(ask_window(program.label), take)

    def _measure(self) -> None:
        from lightning_tui.ui.plan.memory_windows import MeasuringWindow

        program = self._screen.view.program
        if program is None or self._measuring is not None:
            return
        self._measuring = window = MeasuringWindow(program.label)
        self._screen.app.push_screen(window, lambda _: None)
        self._orders.measure(self._number, self.case, window.given_up.is_set)

    def measure_failed(self, sentence: str) -> None:
        """It could not be measured, or was given up."""
        from lightning_tui.ui.windows.window import message_window

        self._end_measuring()
        if not sentence:
            self._screen.notice("measuring was given up; nothing of it is left")
            return
        judgement = self._screen.view.judgement or Judgement()
        self._screen.change(judgement=replace(judgement, unmeasured_because=sentence))
        self._screen.app.push_screen(message_window("The memory could not be measured", sentence))

    def _end_measuring(self) -> None:
        window, self._measuring = self._measuring, None
        if window is not None and self._screen.app.screen is window:
            window.dismiss(None)


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
