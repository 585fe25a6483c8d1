# Reference values for tests/analytics/test_cox.py and test_comparison.py, written to standard output as JSON:
#
#   Rscript tests/analytics/cox_reference.R > tests/analytics/cox_reference.json
#
# Made with R 4.2.2, survival 3.5-3, jsonlite 1.8.4. The tests read the JSON and need no R.
suppressMessages(library(survival))
suppressMessages(library(jsonlite))

numbers <- function(x) unname(as.numeric(x))

# Freireich et al., Blood 1963;21:699-716: weeks in remission with 6-mercaptopurine and with placebo.
freireich <- data.frame(
  days = c(6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35,
           1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23),
  event = c(1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, rep(1, 21)),
  group = rep(0:1, each = 21), entry = 0)

simulated <- function(seed, late) {
  set.seed(seed)
  n <- if (late) 60 else sample(c(60, 120, 300), 1)
  group <- sample(0:3, n, replace = TRUE); age <- 50 + 5 * rbinom(n, 6, 0.5)
  until <- sample(c(if (late) 30 else 8, 60, 700), 1)  # exact ties take R for ever where many share a day
  effect <- c(0, 0.4, -0.5, 0.8)[group + 1] + 0.03 * (age - 65)
  event_on <- 1 + floor(rexp(n, exp(effect) * 2 / until)); lost_on <- 1 + floor(runif(n, 0, until))
  days <- pmin(event_on, lost_on)
  entry <- if (late) floor(runif(n, 0, pmin(days, until / 3))) else rep(0, n)
  data.frame(days, event = as.integer(event_on <= lost_on), group, age, entry)
}

fitted <- function(formula, data) {
  fit <- coxph(formula, data, ties = "efron", control = coxph.control(eps = 1e-13, iter.max = 50, toler.chol = 1e-14))
  s <- summary(fit); zph <- cox.zph(fit, transform = "km")
  list(names = names(coef(fit)), coef = I(numbers(coef(fit))), se = I(numbers(sqrt(diag(vcov(fit))))),
       hazard_ratio = I(numbers(s$conf.int[, 1])), lower = I(numbers(s$conf.int[, 3])),
       upper = I(numbers(s$conf.int[, 4])), p = I(numbers(s$coefficients[, 5])), n = fit$n, n_events = fit$nevent,
       log_likelihood = fit$loglik, likelihood_ratio = numbers(s$logtest), score = numbers(s$sctest),
       # The Wald test of the summary is rounded to two digits.
       wald = fit$wald.test, terms = rownames(zph$table), zph = unname(zph$table))
}

case <- function(data) {
  data$stratum <- factor(data$group)
  late <- any(data$entry > 0)
  y <- if (late) "Surv(entry, days, event)" else "Surv(days, event)"
  answer <- list(days = data$days, event = data$event, group = data$group, entry = data$entry, age = data$age,
                 strata = fitted(as.formula(paste(y, "~ stratum")), data))
  if (!is.null(data$age)) answer$both <- fitted(as.formula(paste(y, "~ stratum + age")), data)
  if (late) {
    exact <- coxph(as.formula(paste(y, "~ stratum")), data, ties = "exact")
    answer$log_rank <- list(chi2 = exact$score)
  } else {
    answer$log_rank <- lapply(list(log_rank = 0, peto = 1), function(rho) {
      test <- survdiff(Surv(days, event) ~ stratum, data, rho = rho)
      list(chi2 = test$chisq, observed = test$obs, expected = test$exp, p = test$pvalue)
    })
  }
  answer
}

simulations <- lapply(1:24, function(k) case(simulated(k, late = k %% 3 == 0)))
names(simulations) <- paste("simulated", 1:24)
cases <- c(list(freireich = case(freireich)), simulations)
cat(gsub("\\],\"", "],\n\"", toJSON(cases, auto_unbox = TRUE, digits = I(17), na = "null", null = "null")), "\n")
