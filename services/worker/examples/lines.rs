//! Counts the lines of each file.

use std::process::ExitCode;

use brigade_worker::{Job, Outcome, ProcessError, Processor};

/// Writes `lines.txt` with the number of lines for each text.
struct Lines;

impl Processor for Lines {
    type Error = ProcessError;

    async fn process(&self, job: &Job) -> Result<Outcome, ProcessError> {
        let content = job.bytes(1024 * 1024).await?;
        let text = std::str::from_utf8(&content)
            .map_err(|error| ProcessError::refuse(format!("it is not UTF-8: {error}")))?;
        if text.is_empty() {
            return Err(ProcessError::refuse("it is empty"));
        }
        let lines = text.lines().count();
        let uri = job.write("lines.txt", lines.to_string(), "text/plain").await?;
        Ok(Outcome::summary(format!("{lines} lines")).output(uri))
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    brigade_worker::serve(Lines).await
}

#[cfg(test)]
mod tests {
    use brigade_worker::{ErrorKind, testing::TestWorker};

    use super::Lines;

    #[tokio::test]
    async fn lines_are_counted() {
        let worker = TestWorker::new(Lines);
        let response = worker.process("two.txt", "a\nb\n").await.unwrap();
        assert_eq!(response.summary, "2 lines");
        assert_eq!(worker.output("two.txt/lines.txt").unwrap(), "2");
    }

    #[tokio::test]
    async fn an_empty_file_is_refused() {
        let error = TestWorker::new(Lines).process("a", "").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused);
    }
}
