//! Line plots as SVG, drawn so that they can be read on white and on dark pages: no background, middle tones.

use std::fmt::Write;

/// Size of a drawing, and of the margins around the plane of the curves.
const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 52.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 48.0;
const BOTTOM: f64 = 40.0;
/// Grey of words and lines: about the same contrast on white and on black.
const INK: &str = "#7d8590";

/// One drawing: values against a number, such as that of players.
pub(crate) struct Plot {
    pub(crate) title: String,
    /// The unit of the values.
    pub(crate) unit: String,
    /// What the values are drawn against, under the drawing; and with one number, at a point.
    pub(crate) across: (&'static str, &'static str),
    pub(crate) series: Vec<Series>,
    /// A line that should not be crossed.
    pub(crate) limit: Option<Limit>,
}

/// One curve.
pub(crate) struct Series {
    pub(crate) name: String,
    pub(crate) tone: Tone,
    /// Number, and value.
    pub(crate) points: Vec<(f64, f64)>,
}

/// A level line with a name.
pub(crate) struct Limit {
    pub(crate) value: f64,
    pub(crate) name: String,
}

/// Colour of a curve.
#[derive(Clone, Copy)]
pub(crate) enum Tone {
    Blue,
    Orange,
    Grey,
}

impl Tone {
    fn colour(self) -> &'static str {
        match self {
            Tone::Blue => "#2f81f7",
            Tone::Orange => "#e0701a",
            Tone::Grey => "#8b949e",
        }
    }
}

/// The plane of the curves: where a value is on the drawing.
struct Plane {
    x_max: f64,
    y_max: f64,
}

impl Plane {
    fn x(&self, number: f64) -> f64 {
        LEFT + (WIDTH - LEFT - RIGHT) * number / self.x_max
    }

    fn y(&self, value: f64) -> f64 {
        HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / self.y_max
    }
}

impl Plot {
    /// The drawing.
    pub(crate) fn svg(&self) -> String {
        let points = || self.series.iter().flat_map(|series| &series.points);
        let x_step = nice(points().map(|(x, _)| *x).fold(1.0, f64::max) / 6.0);
        // A limit far above all values would press them flat: it is left out then.
        let highest = points().map(|(_, y)| *y).fold(0.0, f64::max).max(1e-3);
        let limit = self.limit.as_ref().filter(|limit| limit.value < highest * 4.0);
        let highest = limit.map_or(highest, |limit| highest.max(limit.value));
        let y_step = nice(highest / 4.0);
        let ceil_to = |value: f64, step: f64| (value / step).ceil().max(1.0) * step;
        let plane = Plane {
            x_max: ceil_to(points().map(|(x, _)| *x).fold(1.0, f64::max), x_step),
            y_max: ceil_to(highest * 1.02, y_step),
        };
        let mut svg = String::new();
        // Writing to a string cannot fail.
        let _ = write!(
            svg,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" \
             role=\"img\" aria-label=\"{title}\" font-family=\"system-ui, sans-serif\" font-size=\"12\">\n\
             <text x=\"{LEFT}\" y=\"18\" font-size=\"14\" font-weight=\"600\" fill=\"{INK}\">{title}, {unit}</text>\n",
            title = escaped(&self.title),
            unit = escaped(&self.unit),
        );
        grid(&mut svg, &plane, (x_step, y_step), self.across.0);
        if let Some(limit) = limit {
            let y = plane.y(limit.value);
            let _ = write!(
                svg,
                "<line x1=\"{LEFT}\" x2=\"{x2}\" y1=\"{y:.1}\" y2=\"{y:.1}\" stroke=\"#e5534b\" stroke-dasharray=\"6 4\"/>\n\
                 <text x=\"{x2}\" y=\"{above:.1}\" text-anchor=\"end\" fill=\"#e5534b\">{name}</text>\n",
                x2 = WIDTH - RIGHT,
                above = y - 5.0,
                name = escaped(&limit.name),
            );
        }
        let mut legend = LEFT;
        for series in &self.series {
            curve(&mut svg, &plane, series, self.across.1);
            let colour = series.tone.colour();
            let _ = write!(
                svg,
                "<rect x=\"{legend:.1}\" y=\"28\" width=\"14\" height=\"3\" fill=\"{colour}\"/>\n\
                 <text x=\"{:.1}\" y=\"34\" fill=\"{INK}\">{}</text>\n",
                legend + 19.0,
                escaped(&series.name),
            );
            // About the width of the words in this size.
            legend += 19.0 + 7.0 * series.name.chars().count() as f64 + 18.0;
        }
        svg.push_str("</svg>\n");
        svg
    }
}

fn grid(svg: &mut String, plane: &Plane, (x_step, y_step): (f64, f64), across: &str) {
    let steps = |max: f64, step: f64| (0..=(max / step).round() as u32).map(move |n| f64::from(n) * step);
    for value in steps(plane.y_max, y_step) {
        let y = plane.y(value);
        let _ = write!(
            svg,
            "<line x1=\"{LEFT}\" x2=\"{}\" y1=\"{y:.1}\" y2=\"{y:.1}\" stroke=\"{INK}\" stroke-opacity=\"0.25\"/>\n\
             <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"{INK}\">{}</text>\n",
            WIDTH - RIGHT,
            LEFT - 8.0,
            y + 4.0,
            plain(value),
        );
    }
    for number in steps(plane.x_max, x_step) {
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"{INK}\">{}</text>",
            plane.x(number),
            HEIGHT - BOTTOM + 18.0,
            plain(number),
        );
    }
    let middle = LEFT + (WIDTH - LEFT - RIGHT) / 2.0;
    let _ = writeln!(
        svg,
        "<text x=\"{middle:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"{INK}\">{across}</text>",
        HEIGHT - 5.0
    );
}

fn curve(svg: &mut String, plane: &Plane, series: &Series, across: &str) {
    let colour = series.tone.colour();
    let points: Vec<String> =
        series.points.iter().map(|(x, y)| format!("{:.1},{:.1}", plane.x(*x), plane.y(*y))).collect();
    let _ = writeln!(
        svg,
        "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" stroke-linejoin=\"round\"/>",
        points.join(" ")
    );
    for (number, value) in &series.points {
        let _ = writeln!(
            svg,
            "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\" fill=\"{colour}\"><title>{} {across}: {}</title></circle>",
            plane.x(*number),
            plane.y(*value),
            plain(*number),
            plain(*value),
        );
    }
}

/// The next larger of 1, 2, 5, 10, 20, 50 and so on, so that the steps of an axis are round numbers.
fn nice(step: f64) -> f64 {
    let power = 10f64.powf(step.log10().floor());
    let round = [1.0, 2.0, 5.0, 10.0].into_iter().find(|round| round * power >= step * 0.999).unwrap_or(10.0);
    round * power
}

/// A number without needless zeros.
fn plain(number: f64) -> String {
    let text = format!("{number:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round() {
        for (step, round) in [(0.3, 0.5), (1.0, 1.0), (1.1, 2.0), (4.0, 5.0), (600.0, 1000.0), (23.0, 50.0)] {
            assert!((nice(step) - round).abs() < 1e-9, "{step}: {}", nice(step));
        }
        assert_eq!((plain(12.50), plain(3000.0), plain(0.0)), ("12.5".to_owned(), "3000".to_owned(), "0".to_owned()));
    }

    #[test]
    fn every_point_lies_within_the_drawing() {
        let series = Series { name: "a < b".to_owned(), tone: Tone::Blue, points: vec![(100.0, 0.0), (3000.0, 99.0)] };
        let limit = Some(Limit { value: 100.0, name: "aim".to_owned() });
        let svg =
            Plot { title: "t".to_owned(), unit: "ms".to_owned(), across: ("", "players"), series: vec![series], limit }
                .svg();
        assert!(svg.contains("a &lt; b") && svg.contains("3000 players: 99"), "{svg}");
        let plane = Plane { x_max: 3000.0, y_max: 125.0 };
        assert!(plane.y(0.0) <= HEIGHT - BOTTOM && plane.y(125.0) >= TOP && plane.x(3000.0) <= WIDTH - RIGHT);
    }

    #[test]
    fn a_plot_without_points_is_still_a_drawing() {
        let svg = Plot {
            title: "t".to_owned(),
            unit: "ms".to_owned(),
            across: ("", "players"),
            series: Vec::new(),
            limit: None,
        }
        .svg();
        assert!(svg.ends_with("</svg>\n") && !svg.contains("NaN"), "{svg}");
    }
}
