//! Generates the parser from `grammar/` with LALRPOP.

fn main() {
    let built = lalrpop::Configuration::new()
        .use_cargo_dir_conventions()
        .set_in_dir("grammar")
        .emit_rerun_directives(true)
        .emit_comments(false)
        .process();
    if let Err(error) = built {
        panic!("LALRPOP refuses grammar/kernel.lalrpop: {error}");
    }
}
