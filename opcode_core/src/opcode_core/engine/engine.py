"""The engine: the one object that callers talk to."""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, Literal

from opcode_core import events as e
from opcode_core.contracts.action import ActionContext
from opcode_core.contracts.clock import Clock, Ids
from opcode_core.contracts.runner import Runner
from opcode_core.contracts.storage import (
    EventFilter,
    Message,
    RunFilter,
    RunRecord,
    Storage,
    TemplateRecord,
)
from opcode_core.contracts.vault import StoredVault, Vault
from opcode_core.engine import signals
from opcode_core.engine.access import Access, hidden_from
from opcode_core.engine.breaker import Breaker, BreakerPolicy
from opcode_core.engine.clock import RandomIds, SystemClock
from opcode_core.engine.deadline import stop_tasks
from opcode_core.engine.defining import check_name, check_schemas, check_triggers
from opcode_core.engine.discreet import DiscreetLogger
from opcode_core.engine.failure import LogFailed
from opcode_core.engine.forking import taken_over
from opcode_core.engine.hub import Hub
from opcode_core.engine.journal import Journal
from opcode_core.engine.languages import Languages
from opcode_core.engine.owner import this_process
from opcode_core.engine.plans import Definition, Plans
from opcode_core.engine.run import Run
from opcode_core.engine.runner import InProcessRunner
from opcode_core.engine.runs import Runs, not_found, shutting_down
from opcode_core.engine.starting import (
    Parent,
    checked_params,
    default_inputs,
    params_for,
    version_number,
    with_inputs,
)
from opcode_core.engine.timers import Timers
from opcode_core.engine.watch import Watch
from opcode_core.errors import ErrorCode, OpcodeError
from opcode_core.events import Event
from opcode_core.folding import fold
from opcode_core.isolation import ChosenIsolator
from opcode_core.issues import Issue
from opcode_core.network import NetworkPolicy
from opcode_core.paths import PathPolicy
from opcode_core.plan import Plan, StepPlan
from opcode_core.plugins.manager import PluginManager
from opcode_core.plugins.registry import Registry
from opcode_core.redaction import SHORTEST
from opcode_core.scope import Scope
from opcode_core.settings import HOME
from opcode_core.state import CANCELLED, COMPLETED, RUN_ENDED, STEP_ENDED, RunState
from opcode_core.suggestions import did_you_mean

LOCAL_AGENT = "local"
"""Whom a run belongs to when nobody says."""

Notifier = Callable[[str, str, Any], Awaitable[bool]]


class Engine:
    """Runs workflows.

    Args:
        storage: where runs are remembered; opened by `start_up`, closed by `shut_down`.
        plugins: what is installed; all of it by default.
        pool_size: how many actions run at once.
        paths: which files actions may touch; by default all but OPCODE's own folder.
        network: where they may connect to; by default as the environment says.
        breaker_policies: by action name, where the default does not fit; `*` is all others.
        recovery: whether runs whose process died go on by themselves or wait for the signal `retry`.
        others: go on with runs that were begun elsewhere too, when they are due or orphaned.
        linger: seconds for which a run that waits stays in memory, in case the wait is short.
        owner: the name of this process in the storage, by default made of what the system knows it by.
        isolation: how commands are isolated, as the setting of that name says it.
    """

    def __init__(
        self,
        storage: Storage,
        plugins: PluginManager | None = None,
        *,
        pool_size: int = 10,
        clock: Clock | None = None,
        ids: Ids | None = None,
        runner: Runner | None = None,
        paths: PathPolicy | None = None,
        network: NetworkPolicy | None = None,
        breaker_policies: Mapping[str, BreakerPolicy] | None = None,
        recovery: Literal["resume", "suspend"] = "resume",
        others: bool = True,
        linger: float = 1.0,
        owner: str | None = None,
        isolation: str | None = None,
    ) -> None:
        self.storage = storage
        self.plugins = plugins or PluginManager()
        self.registry: Registry = self.plugins.registry()
        self.clock: Clock = clock or SystemClock()
        self.ids: Ids = ids or RandomIds()
        self.runner: Runner = runner or InProcessRunner()
        self.paths = paths or PathPolicy(own=(HOME,))
        self.network = network or NetworkPolicy.from_environment(os.environ)
        self.pool = asyncio.Semaphore(pool_size)
        self.hub = Hub(self.registry.observers)
        self.journal = Journal(storage, self.hub.publish)
        self.breakers: dict[str, Breaker] = {}
        self.notifier: Notifier | None = None
        self.isolator = ChosenIsolator(self.registry.isolators, isolation)
        self.languages = Languages(self.registry)
        self.vault = _vault(self.registry, storage)
        self.recovery = recovery
        self.others = others
        self.linger = linger
        self.owner = owner or this_process()
        self.closing = False
        self.runs = Runs(self)
        self.timers = Timers(storage, self.clock, self.runs.wake)
        self.watch = Watch(self)
        self._breaker_policies = dict(breaker_policies or {})
        self._background: list[asyncio.Task[None]] = []
        self._plans = Plans(self.registry)
        self._services: list[Any] = []

    # ---- life ---------------------------------------------------------------------------------

    async def start_up(self) -> None:
        """Open the storage, start the services, and go on with what was left.

        Raises:
            OpcodeError: when the storage cannot be opened, or a service cannot work; all is closed then.
        """
        self.closing = False
        self.isolator.check()
        await self.storage.open()
        try:
            await self.recall_providers()
            await self._start_services()
        except BaseException:
            await self.shut_down(0.0)
            raise
        self._background = [asyncio.create_task(self.timers.serve(), name="timers")]
        if self.others:
            await self.watch.begin()
            await self.watch.bury()
            self._background.append(asyncio.create_task(self._recover(), name="recovery"))

    async def recall_providers(self) -> None:
        """Learn which action providers the storage remembers; again, whenever that has changed.

        Raises:
            OpcodeError: when the storage does not answer, or what the settings say about providers is wrong.
        """
        for source in self.registry.provider_sources:
            providers = await source.recall(self.storage)
            self.registry.replace_providers(source, providers)
            for provider in providers:
                provider.on_change(self._plans.forget)
        self._plans.forget()

    async def _start_services(self) -> None:
        for service in self.plugins.services(self):
            await service.start()
            self._services.append(service)

    def service(self, name: str) -> Any:
        """The service of that name, from its start to its end; None when there is none."""
        return next((service for service in self._services if service.name == name), None)

    async def _recover(self) -> None:
        try:
            await self.runs.recover_orphans()
        except OpcodeError as error:
            _log.error("what was left cannot be taken up yet: %s", error)

    async def shut_down(self, grace: float = 10.0) -> None:
        """Begin nothing new, let steps in flight end for `grace` seconds, leave the rest where it is."""
        self.closing = True
        await stop_tasks(self._background)
        await self.runs.shut_down(max(grace, 0.05))
        await self.watch.end()
        for service in reversed(self._services):
            await service.stop()
        self._services.clear()
        await self.storage.close()

    async def __aenter__(self) -> "Engine":
        await self.start_up()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.shut_down(grace=0.0)

    # ---- templates ----------------------------------------------------------------------------

    async def plan(self, definition: Definition) -> Plan:
        """Check and compile a definition; it can be given to `start` any number of times.

        Raises:
            InvalidDefinition: with every issue.
        """
        return await self._plans.of(definition)

    async def define(
        self,
        name: str,
        definition: Definition,
        *,
        agent_id: str = LOCAL_AGENT,
        description: str = "",
        input_schema: Mapping[str, Any] | None = None,
        output_schema: Mapping[str, Any] | None = None,
        triggers: Mapping[str, Any] | None = None,
    ) -> tuple[TemplateRecord, Sequence[Issue]]:
        """Store a definition as the next version of template `name`; with it come its warnings.

        Raises:
            OpcodeError: VALIDATION_ERROR for a bad name, schema, trigger or definition.
        """
        check_name(name)
        check_schemas(input_schema=input_schema, output_schema=output_schema)
        warnings = check_triggers(self.registry, triggers or {})
        plan = await self.plan(definition)
        stored = await self.storage.add_template(
            TemplateRecord(
                name=name,
                version=0,
                definition_hash=plan.hash,
                definition=plan.source,
                agent_id=agent_id,
                created_at=self.clock.now(),
                description=description,
                input_schema=input_schema,
                output_schema=output_schema,
                triggers=triggers,
            )
        )
        for trigger in self.registry.triggers.values():
            await trigger.defined(self, stored)
        return stored, [*plan.warnings, *warnings]

    async def template(self, name: str, version: str | int | None = None) -> TemplateRecord:
        """A template's version (`"v2"`, `2`), or its newest.

        Raises:
            OpcodeError: NOT_FOUND, with the nearest name.
        """
        found = await self.storage.template(name, version_number(version))
        if found is not None:
            return found
        if version is not None and await self.storage.template(name) is not None:
            raise OpcodeError(ErrorCode.NOT_FOUND, f"template '{name}' has no version {version}")
        names = [template.name for template in (await self.storage.templates(limit=1000)).items]
        hint = did_you_mean(name, names)
        raise OpcodeError(
            ErrorCode.NOT_FOUND, f"there is no template '{name}'" + (f"; {hint}" if hint else "")
        )

    # ---- runs ---------------------------------------------------------------------------------

    async def run(
        self,
        workflow: Plan | str | Mapping[str, Any],
        params: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> RunState:
        """Start a run and give its state when it has ended; the arguments are those of `start`."""
        if options.get("idempotency_key") is not None:  # the key is taken before anything is done
            return await self.wait(await self.start(workflow, params, **options))
        run = await self._made(workflow, params, **options)
        assert isinstance(run, Run)
        self.runs.launch(run)
        return await self.runs.wait(run.state.id)

    async def start(
        self,
        workflow: Plan | str | Mapping[str, Any],
        params: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> str:
        """Begin a run and give its id once it is stored; it goes on by itself.

        Args:
            workflow: a template's name, a definition, or a Plan.
            params: override the definition's `inputs` key by key.
            **options: `version` of the template, `agent_id`, `name`, `idempotency_key` (the same key
                of the same agent gives the same run), `parent` (run and step that it is a child of).

        Raises:
            OpcodeError: VALIDATION_ERROR or NOT_FOUND; nothing is stored then.
        """
        run = await self._made(workflow, params, **options)
        if isinstance(run, str):
            return run
        try:
            await self._begin(run)
        except LogFailed as failed:
            return await self._already_begun(run.state, failed.error)
        return run.state.id

    async def _begin(self, run: Run) -> None:
        """Store and launch a new run, also when who asked for it goes away meanwhile."""
        start = self.runs.errand(self._stored_and_launched(run), f"start of {run.state.id}")
        await asyncio.wait({start})
        if start.cancelled():
            raise shutting_down()
        start.result()

    async def _stored_and_launched(self, run: Run) -> None:
        """Nobody else takes it for one that rests between the two."""
        async with self.runs.alone(run.state.id):
            self.runs.doubt(run.state.id)
            try:
                await run.commit()
            except LogFailed as failed:
                if failed.error.code is not ErrorCode.STORE_ERROR:
                    self.runs.sure(run.state.id)
                raise
            self.runs.launch(run)
        if run.state.parent_id is not None and not await self._is_wanted(run.state):
            reason = f"its parent run {run.state.parent_id} has ended"
            await self.signal(run.state.id, "cancel", {"reason": reason})

    async def _is_wanted(self, child: RunState) -> bool:
        """Whether a new run's parent still goes on, and the step that began it too."""
        parent = self.runs.live.get(child.parent_id or "")
        if parent is None:
            record = await self.storage.run(child.parent_id or "")
            return record is None or record.status not in RUN_ENDED
        step = parent.state.steps.get(child.parent_step_id or "")
        return step is None or step.status not in STEP_ENDED

    async def _made(
        self,
        workflow: Plan | str | Mapping[str, Any],
        params: Mapping[str, Any] | None = None,
        *,
        version: str | int | None = None,
        agent_id: str = LOCAL_AGENT,
        name: str | None = None,
        idempotency_key: str | None = None,
        parent: Parent | None = None,
    ) -> Run | str:
        """A run with its first event, not yet stored, or the id of the one that the key belongs to."""
        await self._ready()
        if idempotency_key is not None:
            known = await self.storage.run_by_key(agent_id, idempotency_key)
            if known is not None:
                return known.id
        template = await self.template(workflow, version) if isinstance(workflow, str) else None
        plan = await self._plan_for(workflow, template)
        payload: dict[str, Any] = {
            "format": e.FORMAT,
            "definition": plan.hash,
            "name": name or (template.name if template else None),
            "template_name": template.name if template else None,
            "template_version": f"v{template.version}" if template else None,
            "context": plan.definition.context,
            "inputs": await params_for(plan, dict(params or {}), template),
        }
        if parent is not None:
            payload |= {"parent_id": parent.id, "parent_step_id": parent.step_id, "depth": parent.depth + 1}
        if idempotency_key is not None:
            payload["idempotency_key"] = idempotency_key
        if plan.timeout is not None:
            payload["timeout"] = plan.timeout
        run_id = self.ids.new()
        if plan.definition.inputs:
            defaults = await default_inputs(plan, payload, run_id, agent_id, self.clock.now())
            payload["inputs"] = with_inputs(payload["inputs"], params or {}, defaults, plan.secret_inputs)
        run = Run(self, plan, RunState(run_id, agent_id=agent_id), definition=plan.source)
        run.record(e.WORKFLOW_STARTED, None, payload)
        run.knows_secrets = True
        return run

    async def _ready(self) -> None:
        """Be able to own a run."""
        if self.closing:
            raise shutting_down()
        await self.watch.begin()

    async def _plan_for(
        self, workflow: Plan | str | Mapping[str, Any], template: TemplateRecord | None
    ) -> Plan:
        if template is not None:
            return await self._plans.of_stored(template.definition_hash, template.definition)
        if isinstance(workflow, Plan):
            return workflow
        return await self.plan(workflow)

    async def _already_begun(self, state: RunState, error: OpcodeError) -> str:
        """The run that another call began with the same key at the same moment."""
        if error.code is ErrorCode.CONFLICT and state.idempotency_key is not None:
            known = await self.storage.run_by_key(state.agent_id, state.idempotency_key)
            if known is not None:
                return known.id
        raise error

    async def wait(self, run_id: str, timeout: float | None = None) -> RunState:
        """The state of a run once it has ended or waits for a decision or a signal, or after `timeout` seconds.

        Raises:
            OpcodeError: NOT_FOUND; STORE_ERROR when its log could not be written.
        """
        try:
            async with asyncio.timeout(timeout):
                return await self.runs.wait(run_id)
        except TimeoutError:
            return await self.state(run_id)

    async def signal(
        self,
        run_id: str,
        signal_type: str,
        payload: Mapping[str, Any] | None = None,
        *,
        step_id: str | None = None,
        agent_id: str = LOCAL_AGENT,
    ) -> RunState:
        """Say something to a run, wherever it is; the state is given once that is stored.

        Args:
            run_id: any run that is not completed or cancelled.
            signal_type: `decision` (`{"choice", "data", "reasoning"}` or `{"reject": reason}`), `data`
                (`{"signal": name, ...}`), `cancel`, `retry` or `skip` (`{"reason"}`).
            payload: what is said.
            step_id: the step that it is about, by its full id.
            agent_id: who says it.

        Raises:
            OpcodeError: when the run cannot do what is said; nothing has changed then.
        """
        return await self._say(self._message(run_id, signal_type, payload or {}, step_id, agent_id))

    def _message(
        self, run_id: str, kind: str, payload: Mapping[str, Any], step_id: str | None, agent_id: str
    ) -> Message:
        now, said = self.clock.now(), signals.checked(kind, payload)
        if step_id is not None and not step_id.isprintable():
            raise OpcodeError(ErrorCode.VALIDATION_ERROR, f"step_id is {step_id!r:.80}; that is no step's id")
        return Message(self.ids.new(), run_id, kind, step_id, said, agent_id, now)

    async def _say(self, message: Message) -> RunState:
        run_id = message.workflow_id
        record = await self.storage.run(run_id)
        if record is None and run_id not in self.runs.live:
            raise not_found(run_id)
        if record is not None and record.status in (COMPLETED, CANCELLED):
            raise OpcodeError(
                ErrorCode.INVALID_TRANSITION, f"run {run_id} has already ended: {record.status}"
            )
        run = await self.runs.bring(run_id, message)
        if run is None:  # another process drives it, and looks for what it is told
            state = await self.state(run_id)
            signals.apply(Run(self, await self.plan_of(state), state.copy()), message)  # would it refuse?
            await self.storage.post(message)
            return state
        try:
            await run.commit()
        except LogFailed as failed:
            raise failed.error from None
        return run.state

    async def cancel(self, run_id: str, reason: str = "cancelled by its user") -> RunState:
        """End a run now, and its children; what is in flight is cancelled.

        Raises:
            OpcodeError: NOT_FOUND; INVALID_TRANSITION when it has already ended.
        """
        message = self._message(run_id, "cancel", {"reason": reason}, None, LOCAL_AGENT)
        await self._say(message)
        await self.runs.heard(message)
        return await self.runs.wait(run_id)

    async def fork(
        self, run_id: str, step_id: str, params: Mapping[str, Any] | None = None, agent_id: str | None = None
    ) -> str:
        """Begin a new run of the same definition at a step of an old one, and give its id.

        What does not depend on the step is taken over from the old run with its outputs, in
        particular earlier iterations and steps of the blocks around it; the rest is done anew.

        Args:
            run_id: the old run, whatever its status.
            step_id: full id of a step that began there.
            params: override the old run's inputs key by key.
            agent_id: whose the new run is; the old one's agent by default.

        Raises:
            OpcodeError: NOT_FOUND; VALIDATION_ERROR for params that are not JSON.
        """
        old = await self.state(run_id)
        plan = await self.plan_of(old)
        facts = list(taken_over(old, plan, step_id))
        before = await self._before(run_id, step_id)
        await self._ready()
        run = Run(self, plan, RunState(self.ids.new(), agent_id=agent_id or old.agent_id), plan.source)
        run.record(
            e.WORKFLOW_STARTED,
            None,
            {
                "format": e.FORMAT,
                "definition": plan.hash,
                "name": old.name,
                "template_name": old.template_name,
                "template_version": old.template_version,
                "context": before.context,
                "inputs": {**old.inputs, **checked_params(dict(params or {}), None)},
                "forked_from": {"workflow_id": run_id, "step_id": step_id},
                **({} if plan.timeout is None else {"timeout": plan.timeout}),
            },
        )
        for event_type, of, payload in facts:
            run.record(event_type, of, payload)
        try:
            await self._begin(run)
        except LogFailed as failed:
            raise failed.error from None
        return run.state.id

    async def _before(self, run_id: str, step_id: str) -> RunState:
        """The state of a run when a step began for the last time."""
        log = await self.log(run_id)
        begins = [
            event.sequence for event in log if (event.event_type, event.step_id) == (e.STEP_STARTED, step_id)
        ]
        return fold(run_id, log[: begins[-1] - 1 if begins else len(log)])

    async def state(self, run_id: str) -> RunState:
        """A run's state: the live one, or folded from its log.

        Raises:
            OpcodeError: NOT_FOUND.
        """
        return await self.runs.state(run_id)

    async def log(self, run_id: str) -> list[Event]:
        """All stored events of a run.

        Raises:
            OpcodeError: NOT_FOUND.
        """
        log: list[Event] = []
        while True:
            after = log[-1].sequence if log else 0
            page = await self.storage.events(EventFilter(workflow_id=run_id, after=after), limit=1000)
            log.extend(page.items)
            if len(page.items) < 1000:
                break
        if not log:
            raise not_found(run_id)
        return log

    async def plan_of(self, state: RunState) -> Plan:
        """The plan that a run follows."""
        if state.id in self.runs.live:
            return self.runs.live[state.id].plan
        source = await self.storage.definition(state.definition_hash)
        if source is None:
            raise OpcodeError(ErrorCode.NOT_FOUND, f"the definition of run {state.id} is not stored")
        return await self._plans.of_stored(state.definition_hash, source)

    async def context_of(self, run_id: str) -> dict[str, Any]:
        """A run's workflow context."""
        return dict((await self.state(run_id)).context)

    async def update_context(self, run_id: str, data: dict[str, Any]) -> None:
        """Merge into the context of a run that has not ended.

        Raises:
            OpcodeError: NOT_FOUND; CONFLICT when it has ended.
        """
        state = await self.state(run_id)
        if state.ended:
            raise OpcodeError(
                ErrorCode.CONFLICT, f"run {run_id} is {state.status}; its context no longer changes"
            )
        await self.signal(run_id, "data", data)

    async def find(self, prefix: str) -> RunRecord:
        """The run whose id begins with `prefix`, among the newest thousand; for people who type.

        Raises:
            OpcodeError: NOT_FOUND; CONFLICT when several do.
        """
        exact = await self.storage.run(prefix)
        if exact is not None:
            return exact
        runs = (await self.storage.runs(RunFilter(), limit=1000)).items
        found = [run for run in runs if run.id.startswith(prefix) or run.id.endswith(prefix)]
        if not found:
            raise OpcodeError(ErrorCode.NOT_FOUND, f"there is no run '{prefix}'")
        if len(found) > 1:
            raise OpcodeError(ErrorCode.CONFLICT, f"{len(found)} runs match '{prefix}': write more of the id")
        return found[0]

    # ---- for the parts of the engine ----------------------------------------------------------

    def breaker(self, action: str) -> Breaker:
        """The breaker of an action, made at its first failure."""
        breaker = self.breakers.get(action)
        if breaker is None:
            policies = self._breaker_policies
            policy = policies.get(action) or policies.get("*") or BreakerPolicy()
            breaker = self.breakers[action] = Breaker(action, policy)
        return breaker

    def context_for(self, run: Run, step: StepPlan, step_id: str, scope: Scope) -> ActionContext:
        """What surrounds one call of an action."""
        state = run.state
        key = f"{state.id}:{step_id}:{state.steps[step_id].group}"
        correlation = {"workflow_id": state.id, "step_id": step_id, "agent_id": state.agent_id}
        hidden = partial(hidden_from, run, scope)
        return ActionContext(
            run_id=state.id,
            step_id=step_id,
            agent_id=state.agent_id,
            attempt=state.steps[step_id].attempt,
            idempotency_key=key,
            deadline=None if step.timeout is None else self.clock.now() + step.timeout,
            logger=DiscreetLogger(_action_log, correlation, hidden),
            isolator=self.isolator,
            paths=self.paths,
            network=self.network,
            run=Access(run, step_id, scope, key, hidden),
        )

    async def secrets_for(self, run: Run, step: StepPlan) -> dict[str, str]:
        """The values of the secrets that a step's params need, for the moment of its call.

        From then on the run hides them, whichever of its steps they turn up in.

        Raises:
            OpcodeError: VAULT_ERROR when there is no vault.
        """
        await self.recall_secrets(run)
        names = set(step.params.secrets)
        for name in step.params.secret_inputs:
            if name not in run.state.inputs:
                names |= run.plan.secret_inputs[name].secrets
        if not names:
            return {}
        if self.vault is None:
            raise OpcodeError(
                ErrorCode.VAULT_ERROR,
                f"the secret '{min(names)}' cannot be read: no vault is installed (pip install opcode-vault)",
            )
        values = {name: await self.vault.get(name) for name in sorted(names)}
        run.secrets.update(value for value in values.values() if len(value) >= SHORTEST)
        return values

    async def recall_secrets(self, run: Run) -> None:
        """What a run may have been given before it came here: a file that it wrote then may be read now."""
        if run.knows_secrets:
            return
        for name in sorted(run.plan.secrets):
            try:
                value = await self.vault.get(name) if self.vault is not None else ""
            except Exception as error:
                _log.warning("run %s: secret '%s' cannot be read to be hidden: %s", run.state.id, name, error)
            else:
                run.secrets.update({value} if len(value) >= SHORTEST else ())
        run.knows_secrets = True


def _vault(registry: Registry, storage: Storage) -> Vault | None:
    """The installed one, on the engine's storage if it keeps its secrets there."""
    found = next(iter(registry.vaults), None)
    return found.bind(storage) if isinstance(found, StoredVault) else found


_log = logging.getLogger("opcode.engine")
_action_log = logging.getLogger("opcode.action")
