//! Drawing: rectangles, lines and text in SVG.

use std::fmt::Write;

/// An SVG file as it grows.
pub(super) struct Canvas {
    text: String,
}

/// Where a text stands at its point.
#[derive(Clone, Copy)]
pub(super) enum Anchor {
    Start,
    Middle,
}

/// A rectangle: left, top, width, height.
pub(super) type Area = (f64, f64, f64, f64);

impl Canvas {
    pub(super) fn new() -> Canvas {
        Canvas { text: String::new() }
    }

    /// The file, `width` × `height` pixels.
    pub(super) fn finish(self, width: f64, height: f64) -> String {
        let (w, h) = (number(width), number(height));
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {w} {h}\" width=\"{w}\" \
             height=\"{h}\" font-family=\"Helvetica, Arial, sans-serif\">\n\
             <rect width=\"{w}\" height=\"{h}\" fill=\"#ffffff\"/>\n{}</svg>\n",
            self.text
        )
    }

    /// Starts a group: `<g …>`.
    pub(super) fn open(&mut self, attributes: &str) {
        let _ = writeln!(self.text, "<g {attributes}>");
    }

    /// Ends the group.
    pub(super) fn close(&mut self) {
        self.text.push_str("</g>\n");
    }

    /// Starts what is only drawn where it is used.
    pub(super) fn open_definitions(&mut self) {
        self.text.push_str("<defs>\n");
    }

    /// Ends it.
    pub(super) fn close_definitions(&mut self) {
        self.text.push_str("</defs>\n");
    }

    /// Draws the group named `id`, moved to `x`, `y`.
    pub(super) fn place(&mut self, id: &str, x: f64, y: f64) {
        let (x, y) = (number(x), number(y));
        let _ = writeln!(self.text, "<use href=\"#{id}\" x=\"{x}\" y=\"{y}\"/>");
    }

    /// A rectangle with rounded corners; `style` is more attributes.
    pub(super) fn rect(&mut self, area: Area, radius: f64, style: &str) {
        let (x, y, w, h) = area;
        let [x, y, w, h, r] = [x, y, w, h, radius].map(number);
        let _ = writeln!(
            self.text,
            "<rect x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" rx=\"{r}\" {style}/>"
        );
    }

    pub(super) fn circle(&mut self, x: f64, y: f64, radius: f64, style: &str) {
        let [x, y, r] = [x, y, radius].map(number);
        let _ = writeln!(self.text, "<circle cx=\"{x}\" cy=\"{y}\" r=\"{r}\" {style}/>");
    }

    /// Straight lines, each from a point to a point, as one path.
    pub(super) fn lines(&mut self, lines: &[[(f64, f64); 2]], style: &str) {
        let mut path = String::new();
        for [(x1, y1), (x2, y2)] in lines {
            let [x1, y1, x2, y2] = [*x1, *y1, *x2, *y2].map(number);
            let _ = write!(path, "M{x1} {y1}L{x2} {y2}");
        }
        self.path(&path, style);
    }

    /// A path in SVG's own words.
    pub(super) fn path(&mut self, path: &str, style: &str) {
        if !path.is_empty() {
            let _ = writeln!(self.text, "<path d=\"{path}\" fill=\"none\" {style}/>");
        }
    }

    /// A text of `size` pixels.
    pub(super) fn label(&mut self, at: (f64, f64), size: f64, anchor: Anchor, text: &str) {
        let [x, y, size] = [at.0, at.1, size].map(number);
        let anchor = match anchor {
            Anchor::Start => "",
            Anchor::Middle => " text-anchor=\"middle\"",
        };
        let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let _ = writeln!(
            self.text,
            "<text x=\"{x}\" y=\"{y}\" font-size=\"{size}\"{anchor} fill=\"#263238\">{text}</text>"
        );
    }
}

/// A number with at most one decimal.
pub(super) fn number(value: f64) -> String {
    format!("{}", (value * 10.0).round() / 10.0)
}
