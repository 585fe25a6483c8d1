# Reference values for tests/analytics/test_survival.py, written to standard output as JSON:
#
#   Rscript tests/analytics/survfit_reference.R > tests/analytics/survfit_reference.json
#
# Made with R 4.2.2, survival 3.5-3. The tests read the JSON and need no R.
suppressMessages(library(survival))

number <- function(x) ifelse(is.na(x), "null", sprintf("%.17g", x))
array <- function(x) paste0("[", paste(number(x), collapse = ", "), "]")
object <- function(fields) {
  paste0("{", paste(sprintf('"%s": %s', names(fields), unlist(fields)), collapse = ", "), "}")
}
quantiles <- function(fit) {
  q <- quantile(fit, probs = c(0.25, 0.5, 0.75))
  object(list(days = array(q$quantile), lower = array(q$lower), upper = array(q$upper)))
}

case <- function(name, days, event, at = integer(0), entry = NULL) {
  observed <- function(what) if (is.null(entry)) Surv(days, what) else Surv(entry, days, what)
  fit <- survfit(observed(event) ~ 1, conf.type = "log-log")
  follow_up <- survfit(observed(1 - event) ~ 1, conf.type = "log-log")
  counts <- aggregate(list(n = days), by = list(day = days, event = event), FUN = length)
  landmarks <- object(list(days = array(at)))
  if (length(at)) {
    s <- summary(fit, times = at)  # no extend: R drops times after the last one
    landmarks <- object(list(days = array(s$time), survival = array(s$surv), lower = array(s$lower),
                             upper = array(s$upper), at_risk = array(s$n.risk)))
  }
  # With late entry, R gives the number at risk on the next row for a time between rows: counted by hand instead.
  if (!is.null(entry) && length(at)) {
    landmarks <- object(list(days = array(s$time), survival = array(s$surv), lower = array(s$lower),
                             upper = array(s$upper),
                             at_risk = array(sapply(s$time, function(t) sum(entry < t & days >= t)))))
  }
  end <- max(days)
  taus <- unique(c(floor(end / 3), floor(2 * end / 3), end))
  mean_of <- sapply(taus, function(tau) survival:::survmean(fit, rmean = tau)$matrix[c("rmean", "se(rmean)")])
  sprintf('"%s": %s', name, object(list(
    counts = paste0("[", paste(sprintf("[%d, %s, %d]", as.integer(counts$day),
                    ifelse(counts$event == 1, "true", "false"), counts$n), collapse = ", "), "]"),
    days = array(fit$time), at_risk = array(fit$n.risk), events = array(fit$n.event),
    censored = array(fit$n.censor), survival = array(fit$surv), lower = array(fit$lower),
    upper = array(fit$upper), quantiles = quantiles(fit), follow_up = quantiles(follow_up),
    landmarks = landmarks,
    restricted_mean = object(list(tau = array(taus), days = array(mean_of[1, ]), se = array(mean_of[2, ]))),
    entries = if (is.null(entry)) "[]" else array(entry))))
}

set.seed(20200131)
n <- 20000
death <- 7 * floor(rexp(n, 1 / 70)); lost <- 7 * floor(runif(n, 0, 130))  # days, everybody seen weekly
tied_days <- pmin(death, lost); tied_event <- as.integer(death <= lost)
few <- 300
coarse <- floor(pmin(rexp(few, 1 / 6), runif(few, 0, 12))); coarse_event <- rbinom(few, 1, 0.6)

# Thirty small data sets of whole days, every third with late entry; many ties in some, few in others.
random <- sapply(1:30, function(k) {
  set.seed(k)
  n <- sample(5:80, 1); until <- sample(c(6, 30, 400), 1)
  event_on <- 1 + floor(rexp(n, 2 / until)); lost_on <- 1 + floor(runif(n, 0, until))
  days <- pmin(event_on, lost_on); event <- as.integer(event_on <= lost_on)
  entry <- if (k %% 3 == 0) floor(runif(n, 0, pmin(days, until / 3))) else NULL
  at <- sort(unique(pmin(max(days), floor(until * c(0.05, 0.2, 0.4, 0.7)))))
  # S exactly 1 has limits of 1 in R before the first row and NA after it: asked for after the first event.
  case(paste("random", k), days, event, at[at >= min(c(days[event == 1], Inf))], entry)
})

cat("{\n", paste(c(
  case("aml maintained", aml$time[aml$x == "Maintained"], aml$status[aml$x == "Maintained"],
       c(9, 12, 13, 100, 161)),
  case("aml", aml$time, aml$status, c(5, 6, 23, 24, 100)),
  case("lung", lung$time, lung$status - 1, c(182, 183, 365, 730)),
  case("ties of events and censoring", c(5, 5, 5, 5, 8, 8, 12, 12), c(1, 1, 0, 0, 1, 0, 1, 0), c(5, 6, 8, 12)),
  case("all censored", c(3, 5, 5, 9), c(0, 0, 0, 0)),
  case("all events", c(1, 2, 3, 4), c(1, 1, 1, 1), c(1, 2, 3, 4)),
  case("exactly one half, then lower", c(1, 2, 3, 4, 6, 9), c(1, 1, 1, 0, 1, 0), c(3, 6)),
  case("exactly one half to the end", c(1, 2, 3, 4), c(1, 1, 0, 0), c(2, 4)),
  # 4/5 · 3/4 · 5/6, with patients lost in between.
  case("exactly one half with censoring between", rep(c(1, 2, 3, 4, 6, 8), c(3, 4, 2, 1, 1, 4)),
       rep(c(1, 0, 1, 1, 1, 0), c(3, 4, 2, 1, 1, 4)), c(4, 5)),
  case("exactly one half in the sixth step", c(1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12, 15),
       c(1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0), c(6, 7)),
  case("down to zero", c(2, 4, 4, 7, 7), c(1, 1, 0, 1, 1), c(4, 7)),
  case("one patient with the event", 10, 1),
  case("one patient censored", 10, 0),
  case("events on day zero", c(0, 0, 1, 5, 6), c(1, 0, 1, 0, 1), c(0, 1, 6)),
  case("everybody on day zero", c(0, 0), c(1, 1)),
  case("censored on day zero", c(0, 0, 2, 3), c(0, 0, 1, 0), c(2, 3)),
  case("coarse ties", coarse, coarse_event, c(1, 3, 6, 9)),
  case("twenty thousand, tied", tied_days, tied_event, c(100, 183, 365, 548, 730)),
  case("late entry", c(5, 5, 6, 7, 6, 9, 6, 8, 7, 7, 1, 5), c(1, 1, 0, 1, 1, 1, 1, 1, 0, 0, 0, 1), c(5, 6, 8),
       c(0, 3, 0, 1, 4, 2, 5, 1, 2, 2, 0, 4)),
  case("late entry, at zero in the middle", c(3, 3, 8, 9, 9), c(1, 1, 1, 0, 1), c(3, 9), c(0, 1, 3, 4, 4)),
  random
), collapse = ",\n"), "\n}\n", sep = "")
