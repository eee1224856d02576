//! Why an item is recommended, and words of screens, in German.

use mercer_proto::v1::{EventType, reason::Code};

use super::{Headings, Words, german_notes};

pub(super) const WORDS: Words = Words {
    fact,
    did,
    months: [
        "Jan.", "Feb.", "März", "Apr.", "Mai", "Juni", "Juli", "Aug.", "Sept.", "Okt.", "Nov.",
        "Dez.",
    ],
    after_day: ". ",
    and: " und ",
    against: "dagegen spricht: ",
    many: "viele kleine Gründe",
    none: "kein besonderer Grund",
    notes: &german_notes::NOTES,
    label: |kind| match kind {
        "declined" => "abgelehnt",
        "default_used" => "angenommen",
        "data_ignored" => "ausgelassen",
        "weak_evidence" => "schwach belegt",
        "rule_binding" => "Regel",
        "rule_relaxed" => "Regel aufgegeben",
        "explanation" => "denn",
        _ => "Hinweis",
    },
    headings: Headings {
        why: "warum",
        details: "Einzelheiten",
        assumed: "angenommen oder fehlend",
    },
};

fn fact(code: Code) -> (&'static str, &'static str) {
    match code {
        Code::ChosenByTheSame => {
            ("bei denselben Kunden beliebt wie {}", "selten bei denselben Kunden beliebt wie {}")
        }
        Code::OftenBoughtAfter => ("oft gekauft nach {}", "selten gekauft nach {}"),
        Code::OftenBoughtWith => ("oft zusammen gekauft mit {}", "selten zusammen gekauft mit {}"),
        Code::SimilarTo => ("ähnlich wie {}", "anders als {}"),
        Code::FitsLikingFor => {
            ("passt zu einer Vorliebe für {}", "passt nicht zu einer Vorliebe für {}")
        }
        Code::FitsHistory => (
            "passt zu dem, was Sie bisher gewählt haben",
            "passt nicht zu dem, was Sie bisher gewählt haben",
        ),
        Code::ChosenBySimilarUsers => {
            ("von Kunden wie Ihnen gewählt", "von Kunden wie Ihnen gemieden")
        }
        Code::DueAgain => ("von Ihnen immer wieder gekauft", "von Ihnen selten wieder gekauft"),
        Code::InDemand => ("zuletzt sehr gefragt", "zuletzt wenig gefragt"),
        Code::Rising => ("immer mehr gefragt", "immer weniger gefragt"),
        Code::New => ("neu und gefragt", "nicht neu"),
        Code::Popular => ("von vielen gekauft", "von wenigen gekauft"),
        Code::OfInterest => ("für viele interessant", "für wenige interessant"),
        Code::PopularInCategory => (
            "von vielen gekauft in einer Kategorie, aus der Sie kaufen",
            "von wenigen gekauft in den Kategorien, aus denen Sie kaufen",
        ),
        Code::HighPrice => ("teurer als das meiste", "günstiger als das meiste"),
        Code::InStock => ("vorrätig", "nicht vorrätig"),
        Code::Rule => ("vorgezogen durch die Regel {}", "zurückgestellt durch die Regel {}"),
        Code::RestOfHistory | Code::Unspecified => ("andere Gründe", "andere Gründe"),
    }
}

fn did(event: EventType) -> Option<&'static str> {
    Some(match event {
        EventType::View => "von Ihnen am {} angesehen",
        EventType::Click => "von Ihnen am {} angeklickt",
        EventType::Favourite => "von Ihnen am {} vorgemerkt",
        EventType::AddToCart => "von Ihnen am {} in den Warenkorb gelegt",
        EventType::Purchase => "von Ihnen am {} gekauft",
        EventType::Return => "von Ihnen am {} zurückgegeben",
        EventType::Rating => "von Ihnen am {} bewertet",
        EventType::Unspecified => return None,
    })
}
