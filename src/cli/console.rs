//! Standard output, standard error and files: everything that reads or prints goes through here.

#![expect(
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "this is the one place of kbc that touches the world"
)]

use std::io::{self, BufWriter, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};

use super::args::{Color, ErrorFormat};
use crate::diag::{ColorChoice, Diagnostic, to_json, to_text};
use crate::source::SourceMap;

/// What went wrong between kbc and the world: exit code 2.
#[derive(Debug)]
pub(super) struct WorldError(pub(super) String);

/// Why a run ends with another exit code than 0.
#[derive(Debug)]
pub(super) enum Failure {
    /// The program under test is wrong, which has been reported: exit code 1.
    Program,
    /// The command line or the world is: exit code 2.
    World(WorldError),
}

impl From<WorldError> for Failure {
    fn from(error: WorldError) -> Failure {
        Failure::World(error)
    }
}

/// Where this run prints, and how.
#[derive(Clone, Copy, Debug)]
pub(super) struct Console {
    format: ErrorFormat,
    color: ColorChoice,
    progress: bool,
}

impl Console {
    /// The console that the arguments ask for.
    pub(super) fn new(format: ErrorFormat, color: Color) -> Console {
        let terminal = std::io::stderr().is_terminal();
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let ansi = match color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => terminal && !plain,
        };
        let color = if ansi { ColorChoice::Ansi } else { ColorChoice::Plain };
        Console { format, color, progress: terminal }
    }

    /// Whether a person watches standard error.
    pub(super) fn shows_progress(self) -> bool {
        self.progress && self.format == ErrorFormat::Human
    }

    /// Prints diagnostics to standard error.
    pub(super) fn report(self, diagnostics: &[Diagnostic], sources: &SourceMap) {
        let mut text = String::new();
        for diagnostic in diagnostics {
            match self.format {
                ErrorFormat::Human => {
                    text.push_str(&to_text(diagnostic, sources, self.color));
                    text.push('\n');
                }
                ErrorFormat::Short => text.push_str(&short(diagnostic, sources)),
                ErrorFormat::Json => {
                    text.push_str(&to_json(diagnostic, sources).to_string());
                    text.push('\n');
                }
            }
        }
        eprint!("{text}");
    }

    /// Prints a line about the run itself to standard error, unless a machine reads it.
    pub(super) fn note(self, text: &str) {
        if self.format != ErrorFormat::Json {
            eprintln!("{text}");
        }
    }

    /// Says that one round of a watch is over.
    pub(super) fn round(self, text: &str, is_good: bool) {
        match self.format {
            ErrorFormat::Json => eprintln!("{}", serde_json::json!({ "checked": is_good })),
            ErrorFormat::Human | ErrorFormat::Short => eprintln!("kbc: {text}"),
        }
    }

    /// Prints a failure of the world to standard error.
    pub(super) fn fail(self, error: &WorldError) {
        match self.format {
            ErrorFormat::Json => {
                eprintln!("{}", serde_json::json!({ "severity": "error", "message": error.0 }));
            }
            ErrorFormat::Human | ErrorFormat::Short => eprintln!("kbc: {}", error.0),
        }
    }

    /// Writes a file.
    pub(super) fn write(self, bytes: &[u8], path: &Path) -> Result<(), WorldError> {
        std::fs::write(path, bytes).map_err(|error| cannot_write(path, &error))
    }

    /// A file to write to, piece by piece; what it held is gone.
    pub(super) fn create(self, path: &Path) -> Result<Box<dyn Write + Send>, WorldError> {
        let file = std::fs::File::create(path).map_err(|error| cannot_write(path, &error))?;
        Ok(Box::new(BufWriter::new(file)))
    }

    /// Prints results to standard output, or to a file.
    pub(super) fn output(self, text: &str, to: Option<&Path>) -> Result<(), WorldError> {
        match to {
            Some(path) => self.write(text.as_bytes(), path),
            None => {
                let mut out = std::io::stdout().lock();
                let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
                // A reader that has seen enough (`| head`) is no error.
                match written {
                    Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
                        Err(WorldError(format!("cannot write to standard output: {error}")))
                    }
                    Ok(()) | Err(_) => Ok(()),
                }
            }
        }
    }
}

/// That a file cannot be written.
pub(super) fn cannot_write(path: &Path, error: &io::Error) -> WorldError {
    WorldError(format!("cannot write {}: {error}", path.display()))
}

/// `file:line:column: error[K0301]: message`.
fn short(diagnostic: &Diagnostic, sources: &SourceMap) -> String {
    let json = to_json(diagnostic, sources);
    let label = json["labels"].as_array().and_then(|labels| labels.first());
    let place = label.map_or(String::new(), |label| {
        let file = label["file"].as_str().unwrap_or_default();
        format!("{file}:{}:{}: ", label["line"], label["column"])
    });
    let severity = json["severity"].as_str().unwrap_or_default();
    format!("{place}{severity}[{}]: {}\n", diagnostic.code.id, diagnostic.message)
}

/// A file's bytes; `-` is standard input. The name is what messages call it.
pub(super) fn read_bytes(path: &Path) -> Result<(String, Vec<u8>), WorldError> {
    if path == Path::new("-") {
        let mut bytes = Vec::new();
        let read = std::io::stdin().lock().read_to_end(&mut bytes);
        read.map_err(|error| WorldError(format!("cannot read standard input: {error}")))?;
        return Ok((String::from("<stdin>"), bytes));
    }
    let bytes = std::fs::read(path)
        .map_err(|error| WorldError(format!("cannot read {}: {error}", path.display())))?;
    Ok((path.display().to_string(), bytes))
}

/// When a file was changed last, and its length, which tells two changes of one moment apart.
pub(super) type Changed = (std::time::SystemTime, u64);

/// When a file was changed last; `None` where it cannot be told.
pub(super) fn changed(path: &Path) -> Option<Changed> {
    let about = std::fs::metadata(path).ok()?;
    Some((about.modified().ok()?, about.len()))
}

/// A file that another one names; what the world says if it cannot be read.
pub(super) fn read_named(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|error| error.to_string())
}

/// A file's text, for files that must be text.
pub(super) fn read_text(path: &Path) -> Result<(String, String), WorldError> {
    let (name, bytes) = read_bytes(path)?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok((name, text)),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            Err(WorldError(format!("{name} is not UTF-8 text: byte {at} begins no character")))
        }
    }
}

/// The most memory this process has had, in bytes; 0 where the system does not say.
pub(super) fn peak_rss_bytes() -> u64 {
    let status = std::fs::read_to_string(PathBuf::from("/proc/self/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

/// A clock for reports of how long kbc itself took.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stopwatch(std::time::Instant);

impl Stopwatch {
    /// Starts it.
    pub(super) fn start() -> Stopwatch {
        Stopwatch(std::time::Instant::now())
    }

    /// Seconds since then.
    pub(super) fn seconds(self) -> f64 {
        self.0.elapsed().as_secs_f64()
    }
}
