// Says which work touched memory that is not a card's to touch, before the program dies of it.
#pragma once

namespace host {

void watch_faults();

} // namespace host
