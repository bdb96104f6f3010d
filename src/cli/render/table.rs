//! Tables as docker has them: columns three spaces apart and ten wide at least.
//!
//! Lives here: the widths, and what is cut off with `…`.
//! Must not: know what a column means.
//! Called by: `render::list`.
//! Always true: the last column is not padded; a control character in a cell
//! never reaches the terminal.

const GAP: usize = 3;
const NARROWEST: usize = 10;

/// Returns rows of cells as lines.
pub fn draw(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let mut widths = vec![NARROWEST; columns];
    for row in rows {
        for (at, cell) in row.iter().enumerate().take(row.len().saturating_sub(1)) {
            widths[at] = widths[at].max(width(cell) + GAP);
        }
    }
    let mut out = String::new();
    for row in rows {
        for (at, cell) in row.iter().enumerate() {
            out.extend(cell.chars().map(|c| if c.is_control() { ' ' } else { c }));
            if at + 1 < row.len() {
                out.extend(std::iter::repeat_n(
                    ' ',
                    widths[at].saturating_sub(width(cell)),
                ));
            }
        }
        out.push('\n');
    }
    out
}

/// Returns a text in at most so many characters, the last `…` where some are missing.
pub fn cut(text: &str, most: usize) -> String {
    if width(text) <= most {
        return text.to_owned();
    }
    let mut out: String = text.chars().take(most.saturating_sub(1)).collect();
    out.push('…');
    out
}

/// East Asian letters take two places of a terminal.
fn width(text: &str) -> usize {
    text.chars()
        .map(|c| match u32::from(c) {
            0x1100..=0x115f
            | 0x2e80..=0xa4cf
            | 0xac00..=0xd7a3
            | 0xf900..=0xfaff
            | 0xfe30..=0xfe6f
            | 0xff00..=0xff60
            | 0xffe0..=0xffe6
            | 0x1f300..=0x1f64f
            | 0x20000..=0x3fffd => 2,
            _ => 1,
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::{cut, draw};

    #[test]
    fn columns_are_as_wide_as_dockers() {
        let rows = [
            ["REPOSITORY", "TAG", "SIZE"],
            ["zhangcaiwang/kubia", "1.0", "864MB"],
            ["镜像", "", "1B"],
        ]
        .map(|row| row.map(str::to_owned).to_vec());
        assert_eq!(
            draw(&rows),
            "REPOSITORY           TAG       SIZE\n\
             zhangcaiwang/kubia   1.0       864MB\n\
             镜像                           1B\n"
        );
    }

    #[test]
    fn what_is_cut_says_so() {
        assert_eq!(
            cut("/usr/local/bin/entrypoint.sh", 20),
            "/usr/local/bin/entr…"
        );
        assert_eq!(cut("node app.js", 20), "node app.js");
        assert_eq!(draw(&[vec!["a\x1b[2J".to_owned()]]), "a [2J\n");
    }
}
