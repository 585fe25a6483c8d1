"""Words of ``data/benchmarks.json`` and of the shipped cohort for the catalogues, whose tools read neither."""

from languages.wording import gettext_noop

WORDS = frozenset(
    (
        # Of the cohort that is shipped: its row of analytics_cohort.
        gettext_noop("Every patient of the centres you may see who was given at least one cycle."),
        gettext_noop("NETTER-1, primary analysis"),
        gettext_noop("NETTER-1, final analysis"),
        gettext_noop("Midgut NET, grade 1 to 2, progressive under octreotide"),
        gettext_noop("4 × 7.4 GBq 177Lu-DOTATATE every 8 weeks with octreotide 30 mg"),
        gettext_noop("randomisation"),
        # xgettext:no-python-format
        gettext_noop("A news report of the same analysis gives an objective response rate of 19 %."),
        gettext_noop("Abstract of the citation; the number of patients in news of the trial's publication"),
        gettext_noop("Median follow-up 76.3 months."),
        gettext_noop("Abstract of the citation; the manufacturer's page; the ESMO-MCBS scorecard"),
        # xgettext:no-python-format
        gettext_noop(
            "Gastroenteropancreatic NET, newly diagnosed, grade 2 with Ki-67 from 10 % and grade 3 up to 55 %"
        ),
        gettext_noop("4 × 7.4 GBq 177Lu-DOTATATE every 8 weeks with octreotide 30 mg, first line"),
        # xgettext:no-python-format
        gettext_noop("87.8 % were given all 4 cycles; overall survival was immature."),
        gettext_noop("Two news reports of the trial; not its publication"),
        gettext_noop(
            "Gastroenteropancreatic and bronchial NET, Dutch patients of one centre treated before 2013"
        ),
        gettext_noop("177Lu-DOTATATE, at least 22.2 GBq in all"),
        gettext_noop("not said where it was read"),
        gettext_noop("Only who received 22.2 GBq or more was analysed: who stopped early is not among them."),
        gettext_noop("Abstract of the citation"),
        gettext_noop(
            "Pancreatic NET, progressive, advanced, retrospective at several centres; 62 of 110 with RECIST 1.1"
        ),
        # xgettext:no-python-format
        gettext_noop("177Lu-DOTATATE; 65.5 % had 29.6 GBq ± 10 %"),
        gettext_noop("Median follow-up 24.5 months after the first cycle."),
        gettext_noop("Gastroenteropancreatic NET, grade 1 to 2; 309 patients in two arms"),
        gettext_noop("4 × 7.5 GBq 177Lu-edotreotide every 12 weeks: another radiopharmaceutical"),
        gettext_noop("Another radiopharmaceutical and another interval than 177Lu-DOTATATE."),
        gettext_noop("Two news reports and a congress abstract; not the publication"),
        gettext_noop("Sundlöv, phase II"),
        # xgettext:no-python-format
        gettext_noop("Progressive NET, Ki-67 below 20 %"),
        gettext_noop(
            "7.4 GBq 177Lu-DOTATATE every 10 ± 2 weeks up to a renal dose; median 5 cycles (1 to 9)"
        ),
        gettext_noop("The number of cycles followed from dosimetry of the kidneys."),
        # xgettext:no-python-format
        gettext_noop(
            "Gastroenteropancreatic NEN, unresectable, one centre; 68 % with radiosensitising chemotherapy"
        ),
        gettext_noop("177Lu-DOTATATE, median 4 cycles (2 to 5), mean 27.4 GBq"),
    )
)
