//! The communicator file of a run, with the files that its algorithms lie in.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{LaunchOptions, Session, Unit};
use crate::diag::Reported;
use crate::script::{self, Communicators};

/// Gives the bytes of a file, or why there are none.
pub type ReadBeside<'r> = dyn FnMut(&str) -> Result<Vec<u8>, String> + 'r;

/// A communicator file; an empty one where there is none.
#[derive(Debug, Default)]
pub(super) struct Loaded {
    /// Its path, if there is one.
    pub(super) name: Option<String>,
    /// What it says.
    pub(super) said: Arc<Communicators>,
    /// The files of its algorithms, by path.
    pub(super) units: BTreeMap<String, Unit>,
}

impl Loaded {
    /// What host functions are told, with what the file says of `n_elem`.
    pub(super) fn tell(&self, mut settings: script::Settings) -> script::Settings {
        let elements = self.said.elements().map(|count| (String::from("n_elem"), i64::from(count)));
        settings.facts.extend(elements);
        settings
    }
}

impl Session {
    /// Takes the communicator file `name`, and lets `options` say what it does of the world, of
    /// ranks and of queues where they say nothing. `read` reads files whose paths it names.
    ///
    /// # Errors
    /// It is wrong, or the file of an algorithm is; everything wrong has been reported.
    pub fn communicate(
        &mut self,
        (name, text): (&str, &str),
        read: &mut ReadBeside<'_>,
        options: &mut LaunchOptions,
    ) -> Result<(), Reported> {
        let file = self.sources.add(name, text);
        let mut said = script::read_communicators(&self.sources, file, &mut self.sink)?;
        said.prefer(options.ipcq);
        let mut units = BTreeMap::<String, Unit>::new();
        let mut result = Ok(());
        for (path, span) in said.files() {
            let bytes = match read(&path) {
                Ok(bytes) => bytes,
                Err(why) => {
                    result = Err(self.sink.error(script::unreadable(&path, span, &why)));
                    continue;
                }
            };
            let unit = self.load(&path, &bytes)?;
            let kernels = unit.kernels();
            if !kernels.contains(&"kernel") {
                let wrong = script::without_kernel(&path, span, &kernels);
                result = Err(self.sink.error(wrong));
            }
            units.insert(path, unit);
        }
        options.ipcq = said.queues();
        options.world = options.world.or(said.world());
        options.ranks = options.ranks.or(said.ranks());
        self.communicators = Loaded { name: Some(name.to_owned()), said: Arc::new(said), units };
        result
    }
}
