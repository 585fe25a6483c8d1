"""Published benchmarks: what the file says, against the texts that its entries name."""

from decimal import Decimal

import pytest

from analytics import benchmarks


def by_key() -> dict[str, benchmarks.Benchmark]:
    return {one.key: one for one in benchmarks.published()}


@pytest.mark.parametrize(
    ("key", "pfs", "limits", "os", "os_limits", "orr"),
    [
        # J Nucl Med 2016;57(suppl 2):629: "The median PFS was not reached … objective radiographic response rate was 18%"
        ("netter-1", None, None, None, None, "18"),
        # rlthub.co.uk: "median OS of 48.0 months [95% confidence interval (CI): 37.4–55.2]"
        ("netter-1-final", None, None, "48.0", ("37.4", "55.2"), None),
        # docwirenews.com: "22.8 months (95% CI, 19.4 to not estimated)"
        ("netter-2", "22.8", ("19.4", None), None, None, "43.0"),
        # Clin Cancer Res 2017;23:4617: "29 months [95% confidence interval (CI), 26–33 months] and 63 months (95% CI, 55–72
        # months)", "objective response rate of the total group of patients was 39%"
        ("rotterdam-2017", "29", ("26", "33"), "63", ("55", "72"), "39"),
        # PMID 35389069: "24.8 months (95% … 17.5-34.5) … 40.3% (95% CI: 28.1-53.6) … 41.4 months (95% CI: 28.6-50.2)"
        ("netter-r", "24.8", ("17.5", "34.5"), "41.4", ("28.6", "50.2"), "40.3"),
        # EJNMMI 2022, Sundlöv: "16% partial response … median PFS and OS were 29 months and 47 months"
        ("sundlov-2022", "29", None, "47", None, "16"),
        # PMC10382388: "RECIST 1.1 partial response was 24%"
        ("alipour-2023", None, None, None, None, "24"),
    ],
)
def test_figures_are_those_of_the_text_they_were_read_in(key, pfs, limits, os, os_limits, orr):
    one = by_key()[key]

    def decimals(pair):
        return pair and tuple(None if text is None else Decimal(text) for text in pair)

    assert one.median_of("pfs") == (pfs and Decimal(pfs))
    assert (one.pfs and one.pfs.ci95) == decimals(limits)
    assert one.median_of("os") == (os and Decimal(os))
    assert (one.os and one.os.ci95) == decimals(os_limits)
    assert (one.orr and one.orr.percent) == (orr and Decimal(orr))


def test_a_survival_rate_is_no_median():
    """PMC10382388: "OS at 5-years was 68% (95% CI: 56–78%)"."""
    rate = by_key()["alipour-2023"].survival_rate

    assert rate == benchmarks.Rate(Decimal(68), (Decimal(56), Decimal(78)), months=60)


def test_every_benchmark_says_where_it_was_read_and_of_whom_it_is():
    for one in benchmarks.published():
        assert one.citation, one.key
        assert one.population, one.key
        assert one.regimen, one.key
        assert one.read_in, one.key
        assert one.pfs or one.orr or one.os or one.survival_rate, one.key
    assert len(by_key()) == len(benchmarks.published())


def test_lines_are_drawn_of_medians_that_were_reached_alone():
    assert [name for name, _ in benchmarks.reference_lines("pfs")] == [
        "NETTER-2",
        "COMPETE",
        "NETTER-R",
        "Rotterdam",
        "Sundlöv, phase II",
    ]
    assert ("NETTER-1, final analysis", 48.0) in benchmarks.reference_lines("os")
    assert all("primary" not in name for name, _ in benchmarks.reference_lines("os"))


@pytest.mark.parametrize(
    ("median", "problem"),
    [
        ({"median_months": "10", "ci95": ["11", "12"], "said": ""}, "do not hold"),
        ({"median_months": "10", "ci95": ["8", "9"], "said": ""}, "do not hold"),
        ({"median_months": None, "ci95": None, "said": ""}, "not reached"),
    ],
)
def test_a_median_that_contradicts_itself_is_refused(median, problem):
    with pytest.raises(ValueError, match=problem):
        benchmarks._median(median)


@pytest.mark.parametrize("limits", [["10", "12"], ["8", "10"], ["8", None], None])
def test_a_median_on_its_limit_stands(limits):
    assert benchmarks._median({"median_months": "10", "ci95": limits, "said": ""}).months == 10


def test_a_share_above_the_whole_is_refused():
    with pytest.raises(ValueError, match="0 to 100"):
        benchmarks._rate({"percent": "100.1", "ci95": None})
