"""Who is called and how to get there: numbers, lines and their contacts, trunks, and the attempts of a
call in order."""
