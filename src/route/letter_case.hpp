// Upper and lower case of single letters, the same on every machine and in every locale (Unicode's simple mappings,
// without the Turkish dotted and dotless i, as .NET's invariant culture has it).
#pragma once

namespace skerry::route {

[[nodiscard]] char32_t lower_letter(char32_t letter);
[[nodiscard]] char32_t upper_letter(char32_t letter);

}  // namespace skerry::route
