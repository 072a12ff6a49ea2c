//! JSON as Python writes it: `NaN` and `Infinity` for numbers that JSON does not have.

const WORDS: [&[u8]; 3] = [b"NaN", b"Infinity", b"-Infinity"];

/// The text with null in place of such numbers; None where there is none.
pub(super) fn without_nan(text: &[u8]) -> Option<Vec<u8>> {
    let mut mended = Vec::with_capacity(text.len());
    let (mut at, mut in_string, mut is_mended) = (0, false, false);
    while let Some(&byte) = text.get(at) {
        let word = WORDS.into_iter().find(|word| !in_string && text[at..].starts_with(word));
        if let Some(word) = word {
            mended.extend(b"null");
            at += word.len();
            is_mended = true;
            continue;
        }
        let escaped = (in_string && byte == b'\\').then(|| text.get(at + 1)).flatten();
        in_string ^= byte == b'"';
        mended.push(byte);
        mended.extend(escaped);
        at += 1 + usize::from(escaped.is_some());
    }
    is_mended.then_some(mended)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_json_does_not_have_become_null_and_texts_stay() {
        for (text, expected) in [
            (r#"{"a":NaN,"b":[-Infinity, Infinity]}"#, Some(r#"{"a":null,"b":[null, null]}"#)),
            (r#"{"a":"NaN \" NaN","b":NaN}"#, Some(r#"{"a":"NaN \" NaN","b":null}"#)),
            (r#"{"a":"NaN\\","b":1}"#, None),
            (r#"{"a":"é NaN"}"#, None),
            ("", None),
            ("\"\\", None),
        ] {
            let mended = without_nan(text.as_bytes());
            assert_eq!(mended.as_deref(), expected.map(str::as_bytes), "{text}");
        }
    }
}
