# Counts the lines of each file. Needs the package jsonlite.
jobs <- fifo("/dev/fd/3", "r", blocking = TRUE)
answers <- fifo("/dev/fd/4", "w", blocking = TRUE)
say <- function(...) {
  writeLines(jsonlite::toJSON(list(...), auto_unbox = TRUE), answers)
  flush(answers)
}
say(ready = TRUE, protocol = 1, name = "lines")
while (length(line <- readLines(jobs, n = 1)) > 0) {
  job <- jsonlite::fromJSON(line)$job
  if (is.null(job)) next
  lines <- length(readLines(job$path, warn = FALSE))
  if (lines == 0) {
    say(id = job$id, refuse = list(reason = "it has no lines", kind = "empty"))
  } else {
    writeLines(format(lines), file.path(job$output_dir, "lines.txt"))
    say(id = job$id, accept = list(summary = paste(lines, "lines"), labels = list(lines = lines)))
  }
}
