# Reference values for tests/analytics/test_competing_risks.py, written to standard output as JSON:
#
#   Rscript tests/analytics/competing_risks_reference.R > tests/analytics/competing_risks_reference.json
#
# Made with R 4.2.2, survival 3.5-3, cmprsk 2.2-11, jsonlite 1.8.4. The tests read the JSON and need no R.
suppressMessages(library(survival))
suppressMessages(library(cmprsk))
suppressMessages(library(jsonlite))

case <- function(days, cause, entry = NULL) {
  state <- factor(cause, 0:2)
  id <- seq_along(days)
  fit <- if (is.null(entry)) survfit(Surv(days, state) ~ 1, conf.type = "log-log") else
    survfit(Surv(entry, days, state) ~ 1, id = id, conf.type = "log-log")
  of <- function(matrix) list(matrix[, 2], matrix[, 3])
  answer <- list(days = days, cause = cause, entry = entry, time = fit$time, at_risk = fit$n.risk[, 1],
                 survival = fit$pstate[, 1], incidence = of(fit$pstate), se = of(fit$std.err),
                 lower = of(fit$lower), upper = of(fit$upper))
  if (is.null(entry) && all(1:2 %in% cause)) {
    at <- timepoints(cuminc(days, cause), fit$time)
    answer$cuminc <- list(incidence = list(at$est[1, ], at$est[2, ]), var = list(at$var[1, ], at$var[2, ]))
  }
  answer
}

random <- lapply(1:24, function(k) {
  set.seed(k)
  n <- sample(c(12, 40, 150), 1); until <- sample(c(6, 30, 400), 1)
  event_on <- 1 + floor(rexp(n, 2 / until)); lost_on <- 1 + floor(runif(n, 0, until))
  cause <- ifelse(event_on <= lost_on, sample(1:2, n, TRUE, c(0.7, 0.3)), 0)
  days <- pmin(event_on, lost_on)
  case(days, cause, if (k %% 4 == 0) floor(runif(n, 0, pmin(days, until / 3))))
})
names(random) <- paste("random", 1:24)
cases <- c(list(
  "ties of both causes and censoring" = case(c(5, 5, 5, 5, 8, 8, 12, 12), c(1, 2, 0, 1, 2, 0, 1, 0)),
  "down to zero" = case(c(2, 4, 4, 7, 7), c(1, 2, 0, 1, 2)),
  "second cause never" = case(c(1, 2, 3, 4, 6), c(1, 0, 1, 0, 1)),
  "all censored but one" = case(c(3, 5, 5, 9), c(0, 2, 0, 0))), random)
cat(gsub("\\],\"", "],\n\"", toJSON(cases, auto_unbox = FALSE, digits = I(17), na = "null", null = "null")), "\n")
