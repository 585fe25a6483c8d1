# Reference values for tests/analytics/test_description.py, written to standard output as JSON:
#
#   Rscript tests/analytics/description_reference.R > tests/analytics/description_reference.json
#
# Made with R 4.2.2, jsonlite 1.8.4. The tests read the JSON and need no R.
suppressMessages(library(jsonlite))

numeric <- lapply(1:24, function(k) {
  set.seed(k)
  n <- sample(c(12, 60, 400), 1); of <- if (k %% 2) 2 else 4
  group <- c(rep(1:of, 3), sample(1:of, n, TRUE))  # three at least in each
  value <- round(rnorm(length(group), 60 + group, 5 + 2 * group), sample(0:2, 1))
  test <- if (of == 2) t.test(value ~ group) else oneway.test(value ~ group)
  ranks <- kruskal.test(value ~ factor(group))
  wilcoxon <- if (of == 2) wilcox.test(value ~ group, exact = FALSE, correct = FALSE)$p.value
  list(value = value, group = group, n = length(value), mean = mean(value), sd = sd(value),
       quantiles = unname(quantile(value, c(0, 0.25, 0.5, 0.75, 1))),
       welch = list(statistic = unname(test$statistic), df = I(unname(test$parameter)), p = test$p.value),
       ranks = list(statistic = unname(ranks$statistic), df = I(unname(ranks$parameter)), p = ranks$p.value),
       wilcoxon = wilcoxon)
})

categories <- lapply(1:24, function(k) {
  set.seed(k)
  size <- if (k %% 2) c(2, 2) else c(sample(2:4, 1), sample(2:4, 1))
  table <- matrix(rpois(prod(size), sample(c(2, 8, 60), 1)) + 1, size[1], size[2])
  test <- suppressWarnings(chisq.test(table, correct = FALSE))
  list(table = table, statistic = unname(test$statistic), df = unname(test$parameter), p = test$p.value,
       smallest_expected = min(test$expected), fisher = if (all(size == 2)) fisher.test(table)$p.value)
})

wilson <- do.call(rbind, lapply(list(c(0, 10), c(1, 10), c(5, 10), c(9, 10), c(10, 10), c(20, 35), c(13, 21), c(1, 1),
                                     c(0, 1), c(397, 504), c(250000, 1000000)), function(x) {
  c(x, suppressWarnings(prop.test(x[1], x[2], correct = FALSE)$conf.int))
}))
cat(gsub("\\],\"", "],\n\"", toJSON(list(numeric = numeric, categories = categories, wilson = wilson),
                                    auto_unbox = TRUE, digits = I(17), na = "null", null = "null")), "\n")
