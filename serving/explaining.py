"""The answer to "why?": gather the facts about one series, one version, and the vintages of its values."""

from __future__ import annotations

from dataclasses import fields

from industrial_brain.domain.errors import StateError, UnknownIdError
from industrial_brain.domain.forecasts import Failed
from industrial_brain.storage.listing import peers_of
from models.forecasting.explanation import revised_since, with_revisions
from serving.deps import Services
from serving.live import ForecastModel, LiveModels
from serving.problems import Fault, FieldsError
from serving.schemas_explain import ExplainIn, ExplanationOut


def explain(services: Services, live: LiveModels[ForecastModel], question: ExplainIn) -> ExplanationOut:
    """Why one forecast is what it is.

    Raises:
        FieldsError: the catalogue does not know the series.
        NoModelError: no version answers (as of that moment).
        HorizonError: the version can't answer so far.
        StateError: the version can't forecast this series.
    """
    info = services.catalogue.series([question.series]).get(question.series)
    if info is None:
        fault = Fault("body", "/series", f"There is no series '{question.series}'.")
        raise FieldsError(
            "The series is unknown.",
            "GET /v1/indicators lists and searches the series.",
            [fault],
            slug=UnknownIdError.slug,
        )
    loaded = live.current() if question.as_of is None else live.as_of(question.as_of)
    known = question.as_of or services.clock()
    overrides = services.overrides.in_force(known)
    found = loaded.model.explain(info.id, question.horizon, peers_of(services.catalogue, info), overrides)
    if isinstance(found, Failed):
        raise StateError(found.reason, "Ask for another series, or train a new version.")
    vintages = services.observations.read_vintages(info.id, known, since=revised_since(found))
    found = with_revisions(found, vintages)
    model = {"name": loaded.version.name, "version": loaded.version.version}
    facts = {field.name: getattr(found, field.name) for field in fields(found)}
    return ExplanationOut.model_validate({**facts, "model": model})
