//! The picture of a curve: load to the right, latency upwards, and where saturation begins.

use std::fmt::Write;

use super::LoadCurve;

/// The whole picture.
const W: f64 = 640.0;
const H: f64 = 400.0;
/// Room for the numbers at the left and the bottom, and for the title.
const MARGINS: Margins = Margins { left: 70.0, right: 20.0, top: 50.0, bottom: 50.0 };

/// What stays free around the curve.
struct Margins {
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
}

/// From values to places.
struct Axes {
    load: f64,
    latency: f64,
}

impl Axes {
    fn x(&self, load: f64) -> f64 {
        MARGINS.left + load / self.load * (W - MARGINS.left - MARGINS.right)
    }

    fn y(&self, latency: f64) -> f64 {
        H - MARGINS.bottom - latency / self.latency * (H - MARGINS.top - MARGINS.bottom)
    }
}

pub(super) fn draw(curve: &LoadCurve, title: &str) -> String {
    let most = |values: &mut dyn Iterator<Item = f64>| values.fold(0.0, f64::max);
    let loads = most(&mut curve.loads.iter().map(|it| it.load));
    let latencies = most(&mut curve.loads.iter().filter_map(|it| it.latency));
    let axes = Axes { load: step(loads) * 5.0, latency: step(latencies) * 5.0 };
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{W}\" height=\"{H}\" \
         viewBox=\"0 0 {W} {H}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{W}\" height=\"{H}\" fill=\"white\"/>\n"
    );
    text(&mut out, (W / 2.0, MARGINS.top / 2.0), "middle", title);
    grid(&mut out, &axes);
    line(&mut out, curve, &axes);
    if let Some(first) = curve.loads.iter().find(|it| it.latency.is_none()) {
        let x = axes.x(first.load);
        let _ = writeln!(
            out,
            "<line x1=\"{x:.1}\" y1=\"{}\" x2=\"{x:.1}\" y2=\"{:.1}\" stroke=\"#b03030\" \
             stroke-dasharray=\"4 4\"/>",
            MARGINS.top,
            H - MARGINS.bottom
        );
        let label = format!("saturated at {}", first.load);
        text(&mut out, (x - 6.0, MARGINS.top + 14.0), "end", &label);
    }
    out.push_str("</svg>\n");
    out
}

/// A fifth of an axis that `most` fits on: 1, 2 or 5 times a power of ten.
fn step(most: f64) -> f64 {
    let wanted = most.max(1e-6) / 5.0;
    let power = 10f64.powf(wanted.log10().floor());
    let fits = [1.0, 2.0, 5.0].into_iter().map(|it| it * power).find(|it| *it >= wanted * 0.999);
    fits.unwrap_or(10.0 * power)
}

fn grid(out: &mut String, axes: &Axes) {
    for part in 0..=5 {
        let part = f64::from(part) / 5.0;
        let (x, y) = (axes.x(part * axes.load), axes.y(part * axes.latency));
        let _ = writeln!(
            out,
            "<path d=\"M{x:.1} {}V{:.1}M{} {y:.1}H{}\" stroke=\"#ddd\"/>",
            MARGINS.top,
            H - MARGINS.bottom,
            MARGINS.left,
            W - MARGINS.right
        );
        text(out, (x, H - MARGINS.bottom + 18.0), "middle", &short(part * axes.load));
        text(out, (MARGINS.left - 8.0, y + 4.0), "end", &short(part * axes.latency));
    }
    text(out, (W / 2.0, H - 12.0), "middle", "load: flits of each PE and cycle");
    let _ = writeln!(
        out,
        "<text transform=\"translate(18 {}) rotate(-90)\" text-anchor=\"middle\">mean latency: \
         cycles</text>",
        H / 2.0
    );
}

fn line(out: &mut String, curve: &LoadCurve, axes: &Axes) {
    let known = curve.loads.iter().filter_map(|it| Some((it.load, it.latency?)));
    let places: Vec<(f64, f64)> =
        known.map(|(load, latency)| (axes.x(load), axes.y(latency))).collect();
    let points: Vec<String> = places.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    let _ = writeln!(
        out,
        "<polyline points=\"{}\" fill=\"none\" stroke=\"#2060a0\" stroke-width=\"2\"/>",
        points.join(" ")
    );
    for (x, y) in places {
        let _ = writeln!(out, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"#2060a0\"/>");
    }
}

fn text(out: &mut String, (x, y): (f64, f64), anchor: &str, words: &str) {
    let words = words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let _ =
        writeln!(out, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{words}</text>");
}

/// A number with as many digits as it needs.
fn short(value: f64) -> String {
    let text = format!("{value:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::step;

    #[test]
    fn steps_are_round_and_five_of_them_are_enough() {
        for (most, expected) in [(0.7, 0.2), (1.0, 0.2), (105.8, 50.0), (0.1, 0.02), (24.0, 5.0)] {
            assert!((step(most) - expected).abs() < 1e-12, "{most} {}", step(most));
            assert!(step(most) * 5.0 >= most * 0.999);
        }
    }
}
