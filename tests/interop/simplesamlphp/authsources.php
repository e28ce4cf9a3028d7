<?php

/* Who can sign in. */

$person = fn($id, $first, $last) => [
    'uid' => [$id],
    'mail' => ["$id@example.org"],
    'givenName' => [$first],
    'sn' => [$last],
];

$config = [
    'people' => [
        'exampleauth:UserPass',
        'ada:secret' => $person('ada', 'Ada', 'Lovelace'),
        'bob:secret' => $person('bob', 'Bob', 'Kahn'),
    ],
];
