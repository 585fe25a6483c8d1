"""What each figure says, in one or two sentences, for those who do not see it."""

from analytics.charts.numbers import (
    ENDPOINT_NAMES,
    Endpoint,
    Result,
    cohort_name,
    counted,
    course_shares,
    cutoff_text,
    median_lines,
    percent,
    response_shares,
)


def survival_alt(result: Result, endpoint: Endpoint) -> str:
    """Return the curve's sentence: patients, events, median, and the landmarks that were reached."""
    outcome = result[endpoint]
    name = ENDPOINT_NAMES[endpoint].lower()
    if not outcome["n"]:
        return f"No treated patients in {cohort_name(result)}, so there is no curve of {name}."
    median = ", ".join(median_lines(result, endpoint))
    sentence = (
        f"Kaplan–Meier curve of {name} in {cohort_name(result)}: {counted(outcome['n'], 'patient')}, "
        f"{counted(outcome['events'], 'event')}, {median[0].lower()}{median[1:]}; "
        f"data cut-off {cutoff_text(result)}."
    )
    landmarks = [
        f"{percent(landmark['survival'])} at {landmark['months']} months"
        for landmark in outcome.get("landmarks") or ()
        if landmark.get("survival") is not None
    ]
    return f"{sentence} Estimated {', '.join(landmarks)}." if landmarks else sentence


def response_alt(result: Result) -> str:
    """Return the bars' sentence: every response that occurred, and the objective response rate with its denominator."""
    shares = response_shares(result)
    if not shares[0].of:
        return f"No best overall responses recorded in {cohort_name(result)}."
    bars = "; ".join(f"{share.name}: {share.n:,}" for share in shares if share.n)
    return f"Best overall response in {cohort_name(result)}, {counted(shares[0].of, 'patient')}: {bars}. {orr_line(result)}."


def orr_line(result: Result) -> str:
    """Return ``Objective response rate (CR + PR) 12 of 46, 26.1 % (95 % CI 14.3–41.1 %)``."""
    orr = result["orr"]
    if not orr.get("of") or orr.get("rate") is None:
        return "Objective response rate (CR + PR) undefined: no patient counts towards it yet"
    line = f"Objective response rate (CR + PR) {orr['n']:,} of {orr['of']:,}, {percent(orr['rate'])}"
    lower, upper = orr.get("ci95") or (None, None)
    if lower is None or upper is None:
        return line
    return f"{line} (95 % CI {100 * lower:.1f}–{percent(upper)})"


def courses_alt(result: Result) -> str:
    """Return the bar's sentence: every part with its count, out of all courses."""
    shares = course_shares(result)
    if not shares[0].of:
        return f"No treated patients in {cohort_name(result)}, so there are no courses to show."
    parts = "; ".join(
        f"{share.name.lower()}: {share.n:,} ({share.percent:.1f} %)" for share in shares if share.n
    )
    return f"Courses of {cohort_name(result)}, {shares[0].of:,} in all: {parts}."
