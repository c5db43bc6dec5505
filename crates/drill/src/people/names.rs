//! Common names by language, and which language a country speaks first.

/// First and last names that are common among readers of one language.
pub(super) struct Names {
    pub first: &'static [&'static str],
    pub last: &'static [&'static str],
}

/// The names of readers of this language; English ones where there are none.
pub(super) fn of(language: &str) -> &'static Names {
    match language {
        "de" => &GERMAN,
        "pt-BR" | "pt" => &PORTUGUESE,
        "fr" => &FRENCH,
        "es" => &SPANISH,
        "ja" => &JAPANESE,
        _ => &ENGLISH,
    }
}

/// A name in its language's order.
pub(super) fn whole(language: &str, first: &str, last: &str) -> String {
    match language {
        "ja" => format!("{last} {first}"),
        _ => format!("{first} {last}"),
    }
}

/// The language that most people of a country read.
pub(super) fn spoken_in(country: &str) -> Option<&'static str> {
    Some(match country {
        "US" | "GB" | "IE" | "AU" | "NZ" | "CA" | "IN" | "SG" => "en",
        "DE" | "AT" | "CH" => "de",
        "BR" => "pt-BR",
        "FR" | "BE" => "fr",
        "ES" | "MX" | "AR" => "es",
        "JP" => "ja",
        _ => return None,
    })
}

/// Two names as the local part of an address: plain lower-case letters, none lost to another.
pub(super) fn plain(one: &str, other: &str) -> String {
    let mut plain = String::with_capacity(one.len() + other.len());
    for c in one.chars().chain(other.chars()) {
        match c {
            'ä' => plain.push_str("ae"),
            'ö' | 'Ö' => plain.push_str("oe"),
            'ü' => plain.push_str("ue"),
            'ß' => plain.push_str("ss"),
            'á' | 'ã' | 'â' | 'à' => plain.push('a'),
            'é' | 'ê' | 'è' | 'É' => plain.push('e'),
            'í' => plain.push('i'),
            'ó' | 'ô' => plain.push('o'),
            'ú' => plain.push('u'),
            'ç' => plain.push('c'),
            'ñ' => plain.push('n'),
            c if c.is_ascii_alphabetic() => plain.push(c.to_ascii_lowercase()),
            _ => {}
        }
    }
    if plain.is_empty() { "member".to_owned() } else { plain }
}

static ENGLISH: Names = Names {
    first: &[
        "Olivia", "James", "Ava", "Michael", "Grace", "Daniel", "Chloe", "Samuel", "Priya", "Liam",
        "Zoe", "Noah", "Maya", "Ethan", "Ruth", "Oscar", "Naomi", "Dev", "Erin", "Patrick",
    ],
    last: &[
        "Smith", "Johnson", "Patel", "Brown", "Taylor", "O'Connor", "Walker", "Nguyen", "Clark",
        "Lewis", "Singh", "Hall", "Young", "King", "Wright", "Scott", "Green", "Baker", "Adams",
        "Campbell",
    ],
};

static GERMAN: Names = Names {
    first: &[
        "Anna", "Jürgen", "Sophie", "Lukas", "Käthe", "Felix", "Marie", "Björn", "Lena", "Jonas",
        "Greta", "Paul", "Clara", "Moritz", "Elif", "Stefan", "Ida", "Emil", "Ronja", "Thomas",
    ],
    last: &[
        "Müller",
        "Schmidt",
        "Weiß",
        "Fischer",
        "Schäfer",
        "Wagner",
        "Becker",
        "Schröder",
        "Koch",
        "Richter",
        "Klein",
        "Wolf",
        "Neumann",
        "Yılmaz",
        "Zimmermann",
        "Krüger",
        "Hofmann",
        "Lange",
        "Köhler",
        "Vogel",
    ],
};

static PORTUGUESE: Names = Names {
    first: &[
        "Ana",
        "João",
        "Beatriz",
        "Pedro",
        "Júlia",
        "Lucas",
        "Letícia",
        "Mateus",
        "Camila",
        "Rafael",
        "Inês",
        "Tiago",
        "Larissa",
        "Gustavo",
        "Luísa",
        "Bruno",
        "Mariana",
        "Caio",
        "Helena",
        "Vinícius",
    ],
    last: &[
        "Silva",
        "Santos",
        "Oliveira",
        "Souza",
        "Gonçalves",
        "Pereira",
        "Araújo",
        "Ferreira",
        "Almeida",
        "Costa",
        "Rodrigues",
        "Lima",
        "Conceição",
        "Carvalho",
        "Ribeiro",
        "Rocha",
        "Assunção",
        "Barbosa",
        "Cardoso",
        "Teixeira",
    ],
};

static FRENCH: Names = Names {
    first: &[
        "Camille", "Louis", "Chloé", "Hugo", "Zoé", "Gabriel", "Inès", "Jules", "Manon", "Théo",
        "Léa", "Étienne", "Sarah", "Malik", "Agnès", "Rémi",
    ],
    last: &[
        "Martin",
        "Bernard",
        "Lefèvre",
        "Moreau",
        "Girard",
        "Rousseau",
        "Fontaine",
        "Chevalier",
        "Lemaître",
        "Benali",
        "Garnier",
        "Faure",
        "Besançon",
        "Renaud",
        "Picard",
        "Gauthier",
    ],
};

static SPANISH: Names = Names {
    first: &[
        "Lucía",
        "Martín",
        "Sofía",
        "Diego",
        "Valentina",
        "Pablo",
        "Carmen",
        "Álvaro",
        "Elena",
        "Javier",
        "Inés",
        "Andrés",
        "Paula",
        "Hugo",
        "Begoña",
        "Íñigo",
    ],
    last: &[
        "García",
        "Martínez",
        "López",
        "Sánchez",
        "Muñoz",
        "Gómez",
        "Díaz",
        "Ibáñez",
        "Romero",
        "Torres",
        "Núñez",
        "Castro",
        "Ortega",
        "Peña",
        "Vega",
        "Ramos",
    ],
};

static JAPANESE: Names = Names {
    first: &["陽菜", "蓮", "結衣", "大翔", "美咲", "翔太", "さくら", "悠真", "葵", "健太"],
    last: &["佐藤", "鈴木", "高橋", "田中", "伊藤", "渡辺", "山本", "中村", "小林", "加藤"],
};
