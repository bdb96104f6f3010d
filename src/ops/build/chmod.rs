//! `--chmod` with letters: `u=rwX,go-w`.
//!
//! Lives here: its grammar (chmod(1)), applied to permissions.
//! Must not: touch a file.
//! Called by: `plan` to check one, `copy` to apply it.
//! Always true: without a "who" it means everybody, without regard to a umask.

/// Returns the permissions that `text` makes of `mode`; none when it has no meaning.
pub fn apply(text: &str, mode: u32, directory: bool) -> Option<u32> {
    text.split(',')
        .try_fold(mode, |mode, clause| one(clause, mode, directory))
}

fn one(clause: &str, mut mode: u32, directory: bool) -> Option<u32> {
    let at = clause.find(['+', '-', '='])?;
    let (who, mut rest) = clause.split_at(at);
    let mut shifts = Vec::new();
    for letter in who.chars() {
        match letter {
            'u' => shifts.push(6),
            'g' => shifts.push(3),
            'o' => shifts.push(0),
            'a' => shifts.extend([6, 3, 0]),
            _ => return None,
        }
    }
    if who.is_empty() {
        shifts.extend([6, 3, 0]);
    }
    while let Some(operator) = rest.chars().next() {
        rest = &rest[1..];
        let end = rest.find(['+', '-', '=']).unwrap_or(rest.len());
        let (letters, after) = rest.split_at(end);
        rest = after;
        let (bits, mask) = bits(letters, &shifts, mode, directory)?;
        mode = match operator {
            '+' => mode | bits,
            '-' => mode & !bits,
            '=' => (mode & !mask) | bits,
            _ => return None,
        };
    }
    Some(mode)
}

/// The bits that letters mean, and all that `=` takes away first.
fn bits(letters: &str, shifts: &[u32], mode: u32, directory: bool) -> Option<(u32, u32)> {
    let mut bits = 0;
    let mask = shifts.iter().fold(0, |mask, shift| mask | (0o7 << shift));
    for letter in letters.chars() {
        let permission = match letter {
            'r' => 0o4,
            'w' => 0o2,
            'x' => 0o1,
            'X' if directory || mode & 0o111 != 0 => 0o1,
            'X' => 0,
            'u' => (mode >> 6) & 7,
            'g' => (mode >> 3) & 7,
            'o' => mode & 7,
            's' => {
                bits |= if shifts.contains(&6) { 0o4000 } else { 0 };
                bits |= if shifts.contains(&3) { 0o2000 } else { 0 };
                continue;
            }
            't' => {
                bits |= 0o1000;
                continue;
            }
            _ => return None,
        };
        for shift in shifts {
            bits |= permission << shift;
        }
    }
    Some((bits, mask))
}

#[cfg(test)]
mod tests {
    use super::apply;

    #[test]
    fn letters_mean_what_chmod_makes_of_them() {
        for (text, mode, directory, made) in [
            ("u=rwX,go=rX", 0o600, false, Some(0o644)),
            ("u=rwX,go=rX", 0o700, true, Some(0o755)),
            ("a+x", 0o644, false, Some(0o755)),
            ("+x", 0o644, false, Some(0o755)),
            ("go-rwx", 0o777, false, Some(0o700)),
            ("g=u", 0o640, false, Some(0o660)),
            ("u+s,+t", 0o755, false, Some(0o5755)),
            ("u=rw-w+x", 0o000, false, Some(0o500)),
            ("=", 0o777, false, Some(0)),
            ("u", 0, false, None),
            ("z+x", 0, false, None),
            ("u+q", 0, false, None),
        ] {
            assert_eq!(apply(text, mode, directory), made, "{text}");
        }
    }
}
