//! `kbc topo`: a machine as tables, as a graph, as a picture.

use super::args::{TopoArgs, TopoVerb};
use super::console::{Console, Failure, read_text};
use crate::diag::Sink;
use crate::source::SourceMap;
use crate::topology::{self, Spec, dot, show, svg};

/// Loads the machine and prints what is asked of it.
pub(super) fn run(console: Console, args: &TopoArgs) -> Result<(), Failure> {
    let (mut sources, mut sink) = (SourceMap::new(), Sink::new());
    let result = picture(args, &mut sources, &mut sink)?;
    console.report(&sink.into_sorted(), &sources);
    let text = result.ok_or(Failure::Program)?;
    Ok(console.output(&text, args.output.as_deref())?)
}

/// The text; `None` where the machine is wrong, which has been reported.
fn picture(
    args: &TopoArgs,
    sources: &mut SourceMap,
    sink: &mut Sink,
) -> Result<Option<String>, Failure> {
    let spec = match &args.file {
        None => Spec::implied(),
        Some(path) => {
            let (name, text) = read_text(path)?;
            let file = sources.add(name, text);
            match topology::load(sources, file, sink) {
                Ok(spec) => spec,
                Err(_) => return Ok(None),
            }
        }
    };
    let Ok(machine) = spec.build(sink) else { return Ok(None) };
    Ok(Some(match args.what {
        TopoVerb::Show => show(&spec, &machine),
        TopoVerb::Check => String::new(),
        TopoVerb::Dot => dot(&machine),
        TopoVerb::Svg => svg(&spec, &machine),
    }))
}
