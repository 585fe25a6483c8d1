"""What each figure says, in one or two sentences, for those who do not see it."""

from analytics.charts.numbers import (
    ENDPOINT_NAMES,
    Endpoint,
    Result,
    cohort_name,
    counted,
    course_shares,
    cutoff_text,
    localised,
    median_lines,
    percent,
    response_shares,
    whole,
)
from languages.wording import begun_small, within
from languages.wording import gettext as _


def survival_alt(result: Result, endpoint: Endpoint) -> str:
    """Return the curve's sentence: patients, events, median, and the landmarks that were reached."""
    outcome = result[endpoint]
    name = within(ENDPOINT_NAMES[endpoint])
    if not outcome["n"]:
        return _("No treated patients in {cohort}, so there is no curve of {endpoint}.").format(
            cohort=cohort_name(result), endpoint=name
        )
    sentence = _(
        "Kaplan–Meier curve of {endpoint} in {cohort}: {patients}, {events}, {median}; data cut-off {cutoff}."
    ).format(
        endpoint=name,
        cohort=cohort_name(result),
        patients=counted(outcome["n"], "patient"),
        events=counted(outcome["events"], "event"),
        median=begun_small(", ".join(median_lines(result, endpoint))),
        cutoff=cutoff_text(result),
    )
    landmarks = [
        _("{percent} at {months} months").format(
            percent=percent(landmark["survival"]), months=landmark["months"]
        )
        for landmark in outcome.get("landmarks") or ()
        if landmark.get("survival") is not None
    ]
    estimated = _("Estimated {landmarks}.").format(landmarks=", ".join(landmarks))
    return f"{sentence} {estimated}" if landmarks else sentence


def response_alt(result: Result) -> str:
    """Return the bars' sentence: every response that occurred, and the objective response rate with its denominator."""
    shares = response_shares(result)
    if not shares[0].of:
        return _("No best overall responses recorded in {cohort}.").format(cohort=cohort_name(result))
    bars = "; ".join(f"{share.name}: {whole(share.n)}" for share in shares if share.n)
    return _("Best overall response in {cohort}, {patients}: {bars}. {orr}.").format(
        cohort=cohort_name(result), patients=counted(shares[0].of, "patient"), bars=bars, orr=orr_line(result)
    )


def orr_line(result: Result) -> str:
    """Return ``Objective response rate (CR + PR) 12 of 46, 26.1 % (95 % CI 14.3–41.1 %)``."""
    orr = result["orr"]
    if not orr.get("of") or orr.get("rate") is None:
        return _("Objective response rate (CR + PR) undefined: no patient counts towards it yet")
    said = {"n": whole(orr["n"]), "of": whole(orr["of"]), "rate": percent(orr["rate"])}
    lower, upper = orr.get("ci95") or (None, None)
    if lower is None or upper is None:
        return _("Objective response rate (CR + PR) {n} of {of}, {rate}").format(**said)
    return _("Objective response rate (CR + PR) {n} of {of}, {rate} (95 % CI {lower}–{upper})").format(
        **said, lower=localised(f"{100 * lower:.1f}"), upper=percent(upper)
    )


def courses_alt(result: Result) -> str:
    """Return the bar's sentence: every part with its count, out of all courses."""
    shares = course_shares(result)
    if not shares[0].of:
        return _("No treated patients in {cohort}, so there are no courses to show.").format(
            cohort=cohort_name(result)
        )
    parts = "; ".join(
        f"{within(share.name)}: {whole(share.n)} ({localised(f'{share.percent:.1f} %')})"
        for share in shares
        if share.n
    )
    return _("Courses of {cohort}, {n} in all: {parts}.").format(
        cohort=cohort_name(result), n=whole(shares[0].of), parts=parts
    )
