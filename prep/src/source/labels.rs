//! The order of classes that are known by names alone, such as those of folders.

use super::samples::numbered;

/// Classes in the order of their labels.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Order {
    /// Synset of each label, and the name that it was given by.
    pub(super) classes: Vec<(String, String)>,
    /// Label of each given name, in the order given.
    pub(super) labels: Vec<i64>,
    /// Two names that sorting as text would exchange.
    pub(super) unlike_text: Option<(String, String)>,
}

/// Orders classes by their names. If all are whole numbers, they are sorted as numbers and their synsets
/// get leading zeros, since the format sorts synsets as text; otherwise names are synsets and sort as text.
/// The error says that one number is written in two ways. `names` are all different.
pub(super) fn order(names: &[String]) -> Result<Order, String> {
    let mut sorted: Vec<usize> = (0..names.len()).collect();
    let numbers: Option<Vec<i64>> = names.iter().map(|name| number(name)).collect();
    let Some(numbers) = numbers.filter(|numbers| !numbers.is_empty()) else {
        sorted.sort_by_key(|&at| &names[at]);
        return Ok(in_order(names, &sorted, |at| names[at].clone()));
    };
    sorted.sort_by_key(|&at| (numbers[at], &names[at]));
    if let Some(pair) = sorted
        .windows(2)
        .find(|pair| numbers[pair[0]] == numbers[pair[1]])
    {
        return Err(format!(
            "the classes {:?} and {:?} are one number written in two ways: rename one of them",
            names[pair[0]], names[pair[1]]
        ));
    }
    let largest = sorted.last().map_or(0, |&at| numbers[at]);
    let mut order = in_order(names, &sorted, |at| numbered(numbers[at], largest));
    let exchanged = sorted
        .windows(2)
        .find(|pair| names[pair[0]] > names[pair[1]]);
    order.unlike_text = exchanged.map(|pair| (names[pair[0]].clone(), names[pair[1]].clone()));
    Ok(order)
}

fn in_order(names: &[String], sorted: &[usize], synset: impl Fn(usize) -> String) -> Order {
    let mut labels = vec![0; names.len()];
    for (label, &at) in sorted.iter().enumerate() {
        labels[at] = label as i64;
    }
    let classes = sorted.iter().map(|&at| (synset(at), names[at].clone()));
    Order {
        classes: classes.collect(),
        labels,
        unlike_text: None,
    }
}

/// A whole number in decimal digits.
pub(super) fn number(name: &str) -> Option<i64> {
    let digits = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| name.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn synsets(names: &[&str]) -> Result<(Vec<String>, Vec<i64>), String> {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let order = order(&names)?;
        let synsets = order.classes.into_iter().map(|(synset, _)| synset);
        Ok((synsets.collect(), order.labels))
    }

    #[test]
    fn numbers_sort_as_numbers_and_everything_else_as_text() {
        let (found, labels) = synsets(&["10", "2", "0"]).unwrap();
        assert_eq!(found, ["0000", "0002", "0010"]);
        assert_eq!(labels, [2, 1, 0]);
        assert_eq!(synsets(&["10", "2", "b"]).unwrap().0, ["10", "2", "b"]);
        assert_eq!(synsets(&["21841", "7"]).unwrap().0, ["00007", "21841"]);
        assert_eq!(synsets(&["-1", "2"]).unwrap().0, ["-1", "2"]);
        let error = synsets(&["01", "7", "1"]).unwrap_err();
        assert!(error.contains("\"01\" and \"1\""), "{error}");
    }

    #[test]
    fn what_torchvision_would_sort_otherwise_is_noticed() {
        let names = |names: &[&str]| names.iter().map(|&n| n.to_owned()).collect::<Vec<_>>();
        let order = |given: &[&str]| order(&names(given)).unwrap().unlike_text;
        assert_eq!(order(&["0", "1", "2"]), None);
        assert_eq!(order(&["9", "10"]), Some(("9".to_owned(), "10".to_owned())));
        assert_eq!(order(&["b", "a"]), None);
    }
}
